// @vitest-environment jsdom
import { describe, expect, it } from 'vitest';
import { renderBlocks, renderMarkdown } from '../src/markdown/markdown';
import { sanitise } from '../src/markdown/sanitise';

function dom(markdown: string): HTMLElement {
  const element = document.createElement('div');
  element.innerHTML = renderMarkdown(markdown);
  return element;
}

/** Everything that could run, load or leave. */
function dangers(element: HTMLElement): string[] {
  const found: string[] = [];
  for (const inner of element.querySelectorAll('*')) {
    if (/^(?:script|iframe|object|embed|form|input|style|link|meta|base|video|audio|source|use|foreignobject|animate)$/i.test(inner.tagName)) found.push(inner.tagName);
    for (const { name, value } of inner.attributes) {
      if (name.startsWith('on')) found.push(`${inner.tagName} ${name}`);
      if (/^(?:href|src|srcset|action|formaction|xlink:href|background|poster|data)$/.test(name) && !/^(?:https?:|mailto:|data:image\/(?:png|jpeg|gif|webp);)/i.test(value)) found.push(`${name}=${value}`);
      if (/^(?:src|srcset|poster|background)$/.test(name) && !value.startsWith('data:image/')) found.push(`${name}=${value}`);
      if (name === 'style' && /url|fixed|expression/i.test(value)) found.push(`style=${value}`);
    }
  }
  return found;
}

describe('hostile text', () => {
  const attacks = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,<script>alert(1)</script>) [d](vbscript:x)',
    '[a](&#x6A;avascript:alert(1)) [b](java\tscript:alert(1)) [c](<java\nscript:alert(1)>)',
    '![x](https://evil.example/a.png) ![y](//evil.example/a.png) ![z](data:image/svg+xml;base64,PHN2Zz4=)',
    '<iframe src="//evil.example"></iframe><object data=x><embed src=x>',
    '[x]: javascript:alert(1)\n\n[x]',
    '<javascript:alert(1)>',
    '$\\href{javascript:alert(1)}{x}$ $\\url{javascript:alert(1)}$ $\\includegraphics{https://evil.example/a.png}$',
    '$\\htmlStyle{position:fixed;background:url(//evil.example)}{x}$ $\\htmlData{onclick=alert(1)}{x}$',
    '$$<img src=x onerror=alert(1)>$$ $"><script>alert(1)</script>$',
    '$\\text{</annotation></semantics></math><img src=x onerror=alert(1)>}$',
    '```html onmouseover=alert(1)\n</code></pre><script>alert(1)</script>\n```',
    '```"><img/src=x/onerror=alert(1)>\nx\n```',
    '| a |\n|---|\n| <svg onload=alert(1)> |',
    '<style>*{display:none}</style><link rel=stylesheet href=//evil.example>',
    '&lt;script&gt;alert(1)&lt;/script&gt;',
    '[x](https://a.example "\\" onmouseover=\\"alert(1)")',
  ];
  it.each(attacks)('%s', (attack) => {
    expect(dangers(dom(attack))).toEqual([]);
  });

  it('is stopped by the second wall alone', () => {
    const element = document.createElement('div');
    element.innerHTML = sanitise(
      '<a href="javascript:x" onclick="y">a</a><img src="https://evil.example/x"><form><input></form><svg><script>1</script><use href="#a"/></svg><p style="background:url(//x)">b</p><div style="position: fixed">c</div><iframe></iframe>',
    );
    expect(dangers(element)).toEqual([]);
    expect(element.textContent).toContain('b');
  });

  it('shows the HTML as text', () => {
    expect(dom('a <b>bold</b>').textContent).toContain('<b>bold</b>');
  });

  it('opens links elsewhere, without telling from where', () => {
    const link = dom('[x](https://a.example)').querySelector('a')!;
    expect([link.target, link.rel]).toEqual(['_blank', 'noopener noreferrer nofollow']);
    expect(dom('![chart](https://a.example/x.png)').querySelector('a')!.textContent).toBe('Image: chart');
  });

  it.each([
    ['openings of links', '['.repeat(20_000)],
    ['quotes in quotes', '> '.repeat(2_000)],
    ['dollars', '$'.repeat(20_000)],
    ['openings of formulas', '\\('.repeat(20_000)],
    ['openings of displays', '$$\n\n'.repeat(4_001)],
    ['emphasis', '**a _b '.repeat(5_000)],
    ['macros that double', '$\\def\\a{\\b\\b}\\def\\b{\\c\\c}\\def\\c{\\a\\a}\\a$'],
  ])('of %s takes no longer than its length', (_, text) => {
    const start = performance.now();
    renderMarkdown(text);
    expect(performance.now() - start).toBeLessThan(2_500);
  });
});

describe('formulas', () => {
  const formulas = (markdown: string) => [...dom(markdown).querySelectorAll('annotation')].map(({ textContent }) => textContent);
  it('are found in all four notations', () => {
    expect(formulas('a $x^2$ b \\(y\\) c')).toEqual(['x^2', 'y']);
    expect(formulas('$$\na\n+b\n$$\n\n\\[\nc\n\\]')).toEqual(['\na\n+b\n', '\nc\n']);
    expect(formulas('so $$a$$ and \\[b\\].')).toEqual(['a', 'b']);
    expect(formulas('1. first:\n   $$\n   a\n   $$\n2. $b$')).toHaveLength(2);
    expect(formulas('- a\n  $$\n  open\n\nb\n\n$$\nc\n$$')).toEqual(['\nc\n']);
    expect(dom('$$x$$').querySelector('.katex-display')).not.toBeNull();
  });
  it('are not prices, code or escaped', () => {
    for (const text of ['It costs $5 and $6.', '`$x$`', '\\$x\\$', '$ x $', 'from $HOME to', '```\n$x$\n```', '$5$6']) expect(formulas(text), text).toEqual([]);
  });
  it('that are wrong stay readable', () => {
    expect(dom('$\\frac{a$').textContent).toContain('\\frac{a');
  });
});

describe('blocks', () => {
  it('are the whole document in pieces', () => {
    const text = '# T\n\npara\n\n- a\n- b\n\n  c\n\n```js\nlet x = 1;\n\nlet y;\n```\n\n> q\n\n| a |\n|---|\n| 1 |\n\n$$z$$';
    expect(renderBlocks(text)).toHaveLength(7);
    expect(dom(text).querySelectorAll('h1, ul, .code, blockquote, table, .katex-display')).toHaveLength(6);
  });
  it('render a streaming answer as its whole', () => {
    const text = 'See [a][1].\n\n```python\nprint(1)\n```\n\n1. x\n2. y $z$\n\n[1]: https://a.example\n';
    for (let end = 0; end < text.length; end += 3) renderMarkdown(text.slice(0, end));
    expect(dom(text).querySelector('a')!.getAttribute('href')).toBe('https://a.example');
    expect(dom(text).querySelectorAll('.hljs-built_in, ol > li, .katex').length).toBeGreaterThanOrEqual(4);
  });
  it('highlight and escape code', () => {
    const pre = dom('```cpp\nint main() { return a<b; } // <script>\n```').querySelector('pre')!;
    expect(pre.textContent).toBe('int main() { return a<b; } // <script>\n');
    expect(pre.querySelector('.hljs-comment')).not.toBeNull();
  });
});
