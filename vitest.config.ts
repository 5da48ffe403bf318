import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.spec.ts'],
    setupFiles: ['test/setup.ts'],
    reporters: ['default', ['json', { outputFile: 'build/test-results.json' }]],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The machine is shared with Redis servers and fleets of processes: one file at a time keeps them apart.
    fileParallelism: false,
  },
});
