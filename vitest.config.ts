import { defineConfig } from 'vitest/config';

/** Their subject is who gets the processor when everybody wants it: another test beside them would want it too. */
const ALONE = ['test/security/neighbours.test.ts', 'test/security/whole-host.test.ts', 'test/unit/sandbox-niceness.test.ts'];

const EXCLUDE = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { shuffle: true },
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: 'evidence/tests.json' }]] : ['default'],
    projects: [
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts', 'plugins/*/test/**/*.test.ts', 'plugin-sdk/test/**/*.test.ts'], exclude: [...EXCLUDE, ...ALONE], sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'alone', include: ALONE, exclude: EXCLUDE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
