import { defineConfig } from 'vitest/config';

// Tests of the built page in a real browser (tests/browser/harness.ts says which).
export default defineConfig({
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  test: { include: ['tests/browser/*.test.ts'], testTimeout: 45_000, hookTimeout: 45_000, fileParallelism: true, maxWorkers: 2, minWorkers: 1, retry: 2 },
});
