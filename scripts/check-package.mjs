// Packs the package as `npm publish` would, and checks what users get: its manifest (publint), its types as every kind
// of user resolves them (attw), that no type in it comes from `redlock`, whose own types cannot be found, and that
// editors find the documentation of each type.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PUBLINT = 'publint@0.3.25';
const ATTW = '@arethetypeswrong/cli@0.18.5';
const FOLDER = 'build/package';

function run(command, args, options = {}) {
  // On Windows, npm is a script that only a shell starts.
  const shell = process.platform === 'win32';
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell, ...options });
  if (status !== 0) process.exit(1);
}
const fetched = (tool, ...command) =>
  run('npm', ['exec', '--yes', '--loglevel=error', `--package=${tool}`, '--', ...command]);

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
run('npm', ['pack', '--loglevel=error', '--pack-destination', FOLDER]);
const tarball = readdirSync(FOLDER)[0];

fetched(PUBLINT, 'publint', '--strict', `${FOLDER}/${tarball}`);
fetched(ATTW, 'attw', '--profile', 'esm-only', '--format', 'ascii', '--no-emoji', `${FOLDER}/${tarball}`);

run('tar', ['-xzf', tarball], { cwd: FOLDER });
const types = readdirSync(FOLDER, { recursive: true }).filter((file) => file.endsWith('.d.ts'));
const leaks = types.filter((file) => /['"]redlock['"]/.test(readFileSync(join(FOLDER, file), 'utf8')));
if (types.length === 0 || leaks.length > 0) {
  console.error(`Types of redlock, or no types at all, in ${tarball}: ${leaks.join(', ')}`);
  process.exit(1);
}
// A comment that shares a line with code belongs to nothing.
const misplaced = types.filter((file) =>
  /\S.*\/\*\*|\*\/.*\S/.test(readFileSync(join(FOLDER, file), 'utf8')),
);
if (misplaced.length > 0) {
  console.error(`Comments that share a line with code, in ${tarball}: ${misplaced.join(', ')}`);
  process.exit(1);
}
console.log(`No type of redlock in the ${types.length} type files of ${tarball}`);
