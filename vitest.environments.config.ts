import { defineConfig } from 'vitest/config';

/** The tests that download hundreds of megabytes of build tools and runtimes, which `npm test` leaves out. */
export default defineConfig({
  test: {
    include: ['test/**/*.environment.ts'],
    setupFiles: ['test/setup.ts'],
    globalSetup: 'test/pack.ts',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
});
