import DOMPurify from 'dompurify';

// The renderer escapes all HTML of the model, so what arrives here should be harmless. This is the second wall: a list of what may
// remain, whatever the renderer or KaTeX do.
const html = 'a b blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr i img li ol p pre s span strong sub sup table tbody td th thead tr ul';
const mathml =
  'math annotation semantics menclose merror mfrac mglyph mi mn mo mover mpadded mphantom mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover';
const svg = 'svg path line g';
const attributes =
  'accent accentunder align alt aria-hidden aria-label class columnalign columnlines columnspacing d data-copy display displaystyle encoding fence height href lspace ' +
  'mathvariant maxsize minsize notation preserveAspectRatio rel rowspacing rspace scriptlevel separator src start stretchy style target title type viewBox voffset width x1 x2 y1 y2 xmlns';

const imageData = /^data:image\/(?:png|jpeg|gif|webp);base64,/i;

const purifier = DOMPurify();
purifier.addHook('afterSanitizeAttributes', (element) => {
  if (element.tagName === 'IMG' && !imageData.test(element.getAttribute('src') ?? '')) element.remove();
  if (element.tagName === 'A') {
    if (!/^(?:https?:|mailto:)/i.test(element.getAttribute('href') ?? '')) element.removeAttribute('href');
    element.setAttribute('target', '_blank');
    element.setAttribute('rel', 'noopener noreferrer nofollow');
  }
  // KaTeX's styles are lengths and colours.
  if (/url|position\s*:\s*(?:fixed|sticky)|expression|@/i.test(element.getAttribute('style') ?? '')) element.removeAttribute('style');
});

export function sanitise(dirty: string): string {
  return purifier.sanitize(dirty, {
    ALLOWED_TAGS: [...html.split(' '), ...mathml.split(' '), ...svg.split(' '), '#text'],
    ALLOWED_ATTR: attributes.split(' '),
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
}
