import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { findEngine } from '../test/engine/redis-server.js';

export const OURS = 'nestjs-exclusive';

/** The folder of this package: two above the compiled program. */
export const ROOT = new URL('../../', import.meta.url);

const require = createRequire(import.meta.url);

/** The version of an installed package, or of this one. */
export function versionOf(name: string): string {
  if (name === OURS) return versionIn(new URL('package.json', ROOT));
  for (let folder = dirname(require.resolve(name)); ; folder = dirname(folder)) {
    try {
      return versionIn(join(folder, 'package.json'));
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}

function versionIn(manifest: string | URL): string {
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string };
  if (version === undefined) throw new Error(`No version in ${String(manifest)}`);
  return version.replace(/^v/, '');
}

/** What the figures were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory: string;
  readonly system: string;
  readonly node: string;
  readonly engine: string;
  readonly engineKind: 'native' | 'embedded';
  /** How many processes wanted to run before we began, on average over a minute: above 1, others were at work too. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
}

const PACKAGES = [
  OURS,
  'ioredis',
  'redlock',
  'redlock4',
  'redis-semaphore',
  'redlock-universal',
  'cron',
  '@nestjs/core',
  '@nestjs/schedule',
];

export function describeMachine(): Machine {
  const { description, kind } = findEngine();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${platform()} ${release().split('-')[0]} ${arch()}`,
    node: process.version,
    engine: description,
    engineKind: kind,
    loadBefore: loadavg()[0] ?? Number.NaN,
    versions: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
  };
}
