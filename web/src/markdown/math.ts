import katex from 'katex';
import type { MarkdownIt } from 'markdown-it';

/** Formulas larger than this stay text: typesetting takes time that grows with them. */
const sizeLimit = 20_000;

function typeset(source: string, display: boolean): string {
  if (source.length > sizeLimit) return '';
  try {
    // `trust` off: no links, images or styles from formulas. The limits bound macros that double and rules a page wide.
    return katex.renderToString(source, { displayMode: display, throwOnError: false, trust: false, strict: 'ignore', maxSize: 40, maxExpand: 500 });
  } catch {
    return '';
  }
}

/**
 * Where a search for a closing mark has failed, by mark: no later one can succeed. Without it a text of nothing but openings would take
 * time with the square of its length.
 */
class Unclosed {
  readonly #from = new WeakMap<object, Map<string, number>>();
  has(state: object, closing: string, at: number): boolean {
    return at >= (this.#from.get(state)?.get(closing) ?? Infinity);
  }
  note(state: object, closing: string, at: number): void {
    const marks = this.#from.get(state) ?? new Map<string, number>();
    this.#from.set(state, marks.set(closing, at));
  }
}

/** `$…$`, `\(…\)` in a line; `$$…$$` and `\[…\]` as a display, in a line or over several. */
export function math(md: MarkdownIt): void {
  // Before `escape`, which would take the backslash of \( for itself.
  md.inline.ruler.before('escape', 'math', (state, silent) => {
    const found = inlineMath(state, state.src, state.pos, state.posMax);
    if (found === null) return false;
    if (!silent) {
      const token = state.push('math', 'math', 0);
      token.content = found.source;
      token.meta = { display: found.display };
    }
    state.pos = found.end;
    return true;
  });
  md.block.ruler.before(
    'fence',
    'math_block',
    (state, startLine, endLine, silent) => {
      const from = state.bMarks[startLine]! + state.tShift[startLine]!;
      const opening = state.src.slice(from, from + 2);
      const closing = opening === '$$' ? '$$' : opening === '\\[' ? '\\]' : null;
      if (closing === null || unclosed.has(state, closing + endLine, startLine) || state.sCount[startLine]! - state.blkIndent >= 4) return false;
      const lines: string[] = [];
      for (let line = startLine; line < endLine; line++) {
        if (line > startLine && state.sCount[line]! < state.blkIndent) return false;
        const start = line === startLine ? from + 2 : state.bMarks[line]! + state.tShift[line]!;
        const text = state.src.slice(start, state.eMarks[line]);
        const end = text.indexOf(closing);
        if (end < 0) {
          lines.push(text);
          continue;
        }
        // Text after the formula: it is part of a sentence, which the rule for lines reads.
        if (text.slice(end + 2).trim() !== '') return false;
        if (silent) return true;
        lines.push(text.slice(0, end));
        const token = state.push('math_block', 'math', 0);
        token.block = true;
        token.content = lines.join('\n');
        token.map = [startLine, line + 1];
        state.line = line + 1;
        return true;
      }
      unclosed.note(state, closing + endLine, startLine);
      return false;
    },
    { alt: ['paragraph', 'reference', 'blockquote', 'list'] },
  );
  const fallback = (source: string): string => `<code>${md.utils.escapeHtml(source)}</code>`;
  md.renderer.rules['math'] = (tokens, at) => {
    const { content, meta } = tokens[at]!;
    return typeset(content, (meta as { display: boolean }).display) || fallback(content);
  };
  md.renderer.rules['math_block'] = (tokens, at) => `<p>${typeset(tokens[at]!.content, true) || fallback(tokens[at]!.content)}</p>\n`;
}

interface Found {
  source: string;
  display: boolean;
  end: number;
}

function inlineMath(state: object, text: string, at: number, max: number): Found | null {
  const two = text.slice(at, at + 2);
  if (two === '\\(' || two === '\\[') return delimited(state, text, at, max, two === '\\(' ? '\\)' : '\\]', two === '\\[');
  if (two === '$$') return delimited(state, text, at, max, '$$', true);
  return text[at] === '$' ? dollars(text, at, max) : null;
}

const unclosed = new Unclosed();

function delimited(state: object, text: string, at: number, max: number, closing: string, display: boolean): Found | null {
  if (unclosed.has(state, closing, at)) return null;
  const end = text.indexOf(closing, at + 2);
  if (end < 0 || end + 2 > max) {
    unclosed.note(state, closing, at);
    return null;
  }
  const source = text.slice(at + 2, end);
  return source.trim() === '' ? null : { source, display, end: end + 2 };
}

/** Pandoc's rule keeps prices apart from formulas: no space inside the dollars, no digit after the closing one. */
function dollars(text: string, at: number, max: number): Found | null {
  if (/[\s$]/.test(text[at + 1] ?? ' ') || text[at - 1] === '$') return null;
  for (let end = at + 1; end < max; end++) {
    if (text[end] === '\\') end++;
    else if (text[end] === '`') return null;
    else if (text[end] === '$') {
      if (/\s/.test(text[end - 1]!) || /\d/.test(text[end + 1] ?? '')) return null;
      return { source: text.slice(at + 1, end), display: false, end: end + 1 };
    }
  }
  return null;
}
