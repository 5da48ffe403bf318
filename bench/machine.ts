import { readFileSync } from 'node:fs';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { findEngine } from '../test/engine/redis-server.js';
import { OURS, ROOT } from './builds.js';

const PACKAGES = ['ioredis', 'redlock', 'redis-semaphore', 'cron', '@nestjs/core', '@nestjs/schedule'];

/** The version of an installed package, or of this one. */
export function versionOf(name: string): string {
  const folder = name === OURS ? ROOT : join(ROOT, 'node_modules', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return manifest.version.replace(/^v/, '');
}

/** What figures are measured on, in three lines at most. */
export function describeMachine(): string {
  const [load = 0] = loadavg();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const machine = [cpus()[0]?.model.trim(), `${cpus().length} cores`, memory, `${platform()} ${release()}`];
  const lines = [
    [`Node ${process.version}`, findEngine().description, ...machine].join(', '),
    [OURS, ...PACKAGES].map((name) => `${name} ${versionOf(name)}`).join(', '),
  ];
  if (load > 0.5) lines.push(`The machine was busy before: its load was ${load.toFixed(1)}`);
  return lines.join('\n');
}
