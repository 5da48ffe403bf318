import { execFileSync } from 'node:child_process';

/** Where the page of the dashboard is for the tests, which load the sources. */
export const BUILT_PAGE = 'build/test/dashboard/built-page.js';

/** Builds the page once for all test files: two of them must not write the same file at the same time. */
export default function buildPage(): void {
  execFileSync(process.execPath, ['scripts/build-dashboard.mjs', BUILT_PAGE], { stdio: 'pipe' });
}
