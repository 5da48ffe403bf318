import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BUILT_PAGE } from './test/build-page.js';

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** The examples of the documentation import the package by its name. */
const alias = [
  { find: /^nestjs-exclusive$/, replacement: source('index.ts') },
  { find: /^nestjs-exclusive\/testing$/, replacement: source('testing/index.ts') },
  { find: /^nestjs-exclusive\/dashboard$/, replacement: source('dashboard/index.ts') },
  { find: /^nestjs-exclusive\/node$/, replacement: source('nodes/index.ts') },
  { find: /^nestjs-exclusive\/opentelemetry$/, replacement: source('opentelemetry/index.ts') },
  // `test/build-page.ts` writes it.
  { find: './built-page.js', replacement: fileURLToPath(new URL(BUILT_PAGE, import.meta.url)) },
];

/** One lane of tests. Lanes run one after the other, in this order. */
const lane = (
  name: string,
  groupOrder: number,
  options: { maxWorkers?: number; isolate?: boolean; pool?: 'threads'; globalSetup?: string },
  include: string[],
  exclude: string[] = [],
) => ({
  resolve: { alias },
  test: {
    name,
    include,
    exclude,
    setupFiles: ['test/setup.ts'],
    testTimeout: 30_000,
    expect: { poll: { interval: 5, timeout: 10_000 } },
    hookTimeout: 60_000,
    sequence: { groupOrder },
    ...options,
  },
});

const UNIT = ['test/**/*.unit.spec.ts'];
const CROWDS = ['test/fleet/crowd.spec.ts', 'test/chaos/**/*.spec.ts'];
const SYSTEM = ['test/fleet/**/*.spec.ts', ...CROWDS];
const PAGES = ['test/docs/**/*.spec.ts', 'test/dashboard/**/*.spec.ts'];
const PACKAGE = ['test/consumer/**/*.spec.ts', 'test/examples/**/*.spec.ts'];

export default defineConfig({
  test: {
    reporters: ['default', ['json', { outputFile: 'build/test-results.json' }]],
    projects: [
      // Importing NestJS takes longer than these tests: the files of a worker share its modules.
      lane('unit', 0, { isolate: false, pool: 'threads', maxWorkers: 2 }, UNIT),
      // These mostly wait for timers.
      lane('redis', 1, { maxWorkers: 4 }, ['test/**/*.spec.ts'], [...UNIT, ...SYSTEM, ...PAGES, ...PACKAGE]),
      // Fleets of processes, and installations, need much of the machine, and crowds of processes all of it.
      lane('system', 2, { maxWorkers: 2 }, SYSTEM, [...UNIT, ...CROWDS]),
      lane('crowds', 3, { maxWorkers: 1 }, CROWDS),
      lane('pages', 4, { maxWorkers: 3, globalSetup: 'test/build-page.ts' }, PAGES, UNIT),
      lane('package', 4, { maxWorkers: 3, globalSetup: 'test/pack.ts' }, PACKAGE),
    ],
  },
});
