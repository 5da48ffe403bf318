// Makes a clean clone ready for `npm test`, `npm run demo` and `npm run bench`: installs once, compiles each time.
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';

const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const run = (...args) => execFileSync(npm, args, { stdio: 'inherit', shell: process.platform === 'win32' });

const installed = 'node_modules/.package-lock.json';
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs) {
  // Sets the log level again: `npm run --silent` passes its own on, which would hide why an installation fails.
  run('ci', '--no-audit', '--no-fund', '--loglevel=error');
}
run('run', '--silent', 'compile');
