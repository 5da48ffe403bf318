import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The folder of this repository: two above the compiled program. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const OURS = 'nestjs-exclusive';

/** This package, compiled. Only its main entry is used, so the commits that are compared may differ in their files. */
export interface Build {
  /** `this`, or a commit. */
  readonly name: string;
  /** The URL of the entry. */
  readonly entry: string;
  readonly exports: typeof import('../src/index.js');
}

export function thisBuild(): Promise<Build> {
  return load('this', new URL('../src/index.js', import.meta.url).href);
}

/** Compiles another commit in a temporary folder below `build/`, where it finds the dependencies that are installed. */
export function buildOf(commit: string): Promise<Build> {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const name = git('rev-parse', '--short', '--verify', `${commit}^{commit}`);
  const folder = mkdtempSync(join(ROOT, 'build/against-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const archive = join(folder, 'source.tar');
  git('archive', '--output', archive, name, 'src', 'package.json', 'tsconfig.json');
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  // Its types have been checked, with its own dependencies.
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', folder, '--noCheck'], { stdio: 'inherit' });
  return load(name, pathToFileURL(join(folder, 'build/src/index.js')).href);
}

async function load(name: string, entry: string): Promise<Build> {
  return { name, entry, exports: (await import(entry)) as Build['exports'] };
}
