import { defineConfig } from 'vite';
import { viteSingleFile } from 'vite-plugin-singlefile';
import { onlyWoff2 } from './build/fonts';
import { licences } from './build/licences';
import { contentSecurityPolicy } from './build/policy';

// The server during development: `SLUICE_SERVER=http://127.0.0.1:8080 npm run dev`.
const server = process.env['SLUICE_SERVER'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: './',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  plugins: [onlyWoff2(), viteSingleFile({ removeViteModuleLoader: true }), licences(), contentSecurityPolicy()],
  build: {
    target: 'es2022',
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2000,
  },
  server: { proxy: Object.fromEntries(['/v1', '/health', '/stats'].map((path) => [path, server])) },
  test: { include: ['tests/*.test.ts'], setupFiles: ['tests/setup.ts'] },
} as Parameters<typeof defineConfig>[0]);
