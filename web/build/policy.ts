import { createHash } from 'node:crypto';
import type { Plugin } from 'vite';

const placeholder = '%POLICY%';

/**
 * Writes the content security policy into the page: only its own script runs (named by its hash), it talks only to its own server,
 * and it loads nothing. Styles may be inline because KaTeX places symbols with style attributes.
 */
export function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    enforce: 'post',
    // After the plugin that inlines the script.
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        for (const file of Object.values(bundle)) {
          if (file.type !== 'asset' || !file.fileName.endsWith('.html')) continue;
          let html = String(file.source);
          const hashes = [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)].map(
            ([, script]) => `'sha256-${createHash('sha256').update(script ?? '').digest('base64')}'`,
          );
          if (hashes.length === 0) this.error('expected an inline script in the page, found none');
          const policy = [
            "default-src 'none'",
            `script-src ${hashes.join(' ')}`,
            "style-src 'unsafe-inline'",
            'img-src data:',
            'font-src data:',
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
          ].join('; ');
          if (!html.includes(placeholder)) this.error(`expected ${placeholder} in index.html`);
          html = html.replace(placeholder, () => policy);
          file.source = html;
        }
      },
    },
    transformIndexHtml: {
      order: 'pre',
      handler(html, context) {
        // The development server injects scripts of its own.
        return context.server ? html.replace(/<meta http-equiv[^>]*>\s*/, '') : html;
      },
    },
  };
}
