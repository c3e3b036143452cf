import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'vite';

/** Appends the licences of the libraries that are in the page, as a comment: the file is distributed alone. */
export function licences(): Plugin {
  const folders = new Set<string>();
  return {
    name: 'licences',
    enforce: 'post',
    moduleParsed({ id }) {
      const folder = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll('\0', ''))?.[1];
      if (folder !== undefined && !folder.endsWith('/vite')) folders.add(folder);
    },
    // After the plugin that inlines the script.
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const texts = [...folders].map(notice).sort();
        for (const file of Object.values(bundle)) {
          if (file.type !== 'asset' || !file.fileName.endsWith('.html')) continue;
          const comment = `This page contains these libraries:\n\n${texts.join('\n\n')}`.replaceAll('--', '- -');
          file.source = `${String(file.source).trimEnd()}\n<!--\n${comment}\n-->\n`;
        }
      },
    },
  };
}

interface PackageFile {
  name: string;
  version: string;
  license: string;
}

function notice(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as PackageFile;
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? '' : readFileSync(path.join(folder, file), 'utf8').replace(/\r/g, '').trim();
  // DOMPurify offers a choice of two long licences; its own banner is the notice that Apache-2.0 asks for.
  const short = name === 'dompurify' ? 'Copyright Cure53 and other contributors, Apache License 2.0: www.apache.org/licenses/LICENSE-2.0' : text;
  return `=== ${name} ${version} (${license})\n${short}`;
}
