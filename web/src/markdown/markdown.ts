// Markdown of the model as HTML that is safe to insert. Blocks are rendered one by one and remembered, so that a streaming answer
// renders only its last block again.

import MarkdownIt from 'markdown-it';
import { highlight } from './highlight';
import { math } from './math';
import { sanitise } from './sanitise';

const md = new MarkdownIt({ html: false, linkify: true, breaks: false, typographer: false }).use(math);
const escape = md.utils.escapeHtml;

// The library's own check lets data: images through and refuses scripts; here only what a page may link to is left.
md.validateLink = (url) => /^(?:https?:|mailto:|data:image\/(?:png|jpeg|gif|webp);base64,)/i.test(url.trim());
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

md.renderer.rules.fence = (tokens, at) => {
  const token = tokens[at]!;
  return codeBlock(token.content, token.info.trim().split(/\s+/)[0] ?? '');
};
md.renderer.rules.code_block = (tokens, at) => codeBlock(tokens[at]!.content, '');

function codeBlock(code: string, language: string): string {
  const marked = highlight(code, language.toLowerCase()) ?? escape(code);
  return (
    `<div class="code"><div class="code-head"><span>${escape(language.slice(0, 40))}</span>` +
    `<button type="button" class="code-copy" aria-label="Copy code">Copy</button></div><pre><code>${marked}</code></pre></div>\n`
  );
}

/** An image from outside would tell its server who reads what, so it is shown as a link; images in the text itself are shown. */
md.renderer.rules.image = (tokens, at, _options, env) => {
  const token = tokens[at]!;
  const source = String(token.attrGet('src') ?? '');
  const label = md.renderer.renderInlineAsText(token.children ?? [], md.options, env);
  if (source.startsWith('data:')) return `<img src="${escape(source)}" alt="${escape(label)}">`;
  return `<a class="image-link" href="${escape(source)}" title="Images from elsewhere are not loaded">Image: ${escape(label || source)}</a>`;
};

md.renderer.rules.table_open = () => '<div class="table"><table>\n';
md.renderer.rules.table_close = () => '</table></div>\n';

const remembered = new Map<string, string>();
const rememberedLimit = 2000;

function remember(key: string, make: () => string): string {
  let html = remembered.get(key);
  if (html !== undefined) {
    remembered.delete(key);
  } else {
    html = make();
    if (remembered.size >= rememberedLimit) remembered.delete(remembered.keys().next().value!);
  }
  remembered.set(key, html);
  return html;
}

/** The text's top-level blocks, each as safe HTML. */
export function renderBlocks(text: string): string[] {
  const env: { references?: Record<string, unknown> } = {};
  const tokens = md.parse(text, env as never);
  const links = env.references ? JSON.stringify(env.references) : '';
  const lines = text.split('\n');
  const blocks: string[] = [];
  for (let from = 0; from < tokens.length; ) {
    let to = from;
    for (let depth = 0; to < tokens.length; ) {
      depth += tokens[to++]!.nesting;
      if (depth <= 0) break;
    }
    const block = tokens.slice(from, to);
    const [first, last] = block[0]!.map ?? [0, lines.length];
    const source = lines.slice(first, last).join('\n');
    blocks.push(remember(`${block[0]!.type}\0${links}\0${source}`, () => sanitise(md.renderer.render(block, md.options, env as never))));
    from = to;
  }
  return blocks;
}

export const renderMarkdown = (text: string): string => renderBlocks(text).join('');
