import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf, useServer } from '../module/redis.js';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = fileURLToPath(new URL('.', import.meta.url));
const NPM_FLAGS = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
/** How long an application runs, in milliseconds: three ticks and a part of one. */
const LIFE = 3800;
/** For the installations on a busy machine, in milliseconds. */
const PATIENCE = 240_000;

interface Setup {
  readonly what: string;
  readonly main: string;
  readonly dependencies: Record<string, string>;
}

const SETUPS: Setup[] = [
  {
    what: 'NestJS 11, @nestjs/schedule 6 and ioredis 5, in CommonJS',
    main: 'main.cjs',
    dependencies: {
      '@nestjs/common': '^11.0.0',
      '@nestjs/core': '^11.0.0',
      '@nestjs/schedule': '^6.0.0',
      ioredis: '^5.0.0',
    },
  },
  {
    what: 'NestJS 12, @nestjs/schedule 12 and ioredis 6, in ESM',
    main: 'main.mjs',
    dependencies: {
      '@nestjs/common': '^12.0.0',
      '@nestjs/core': '^12.0.0',
      '@nestjs/schedule': '^12.0.0',
      ioredis: '^6.0.0',
    },
  },
];

let folder: string;
let tarball: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'versions-'));
  // This builds the package first, as `npm publish` does.
  await npm(ROOT, 'pack', '--pack-destination', folder);
  tarball = join(folder, (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '');
  await Promise.all(SETUPS.map(install));
}, PATIENCE);
afterAll(() => rm(folder, { recursive: true, force: true }));

function npm(cwd: string, ...args: string[]): Promise<unknown> {
  return execute('npm', [...args, ...NPM_FLAGS], { cwd });
}

const home = ({ main }: Setup): string => join(folder, `app of ${main}`);

async function install(setup: Setup): Promise<void> {
  await cp(SOURCES, home(setup), { recursive: true });
  const dependencies = {
    ...setup.dependencies,
    'nestjs-exclusive': `file:${tarball}`,
    'reflect-metadata': '^0.2.0',
    rxjs: '^7.8.0',
  };
  await writeFile(join(home(setup), 'package.json'), JSON.stringify({ private: true, dependencies }));
  await npm(home(setup), 'install', '--strict-peer-deps');
}

async function installed(setup: Setup, name: string): Promise<string> {
  const manifest = await readFile(join(home(setup), 'node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

describe.each(SETUPS)('with $what', { timeout: PATIENCE }, (setup) => {
  const server = useServer();
  const start = (env: NodeJS.ProcessEnv = {}) =>
    execute(process.execPath, [join(home(setup), setup.main)], {
      env: { ...process.env, REDIS_URL: server.it.url, LIFE: String(LIFE), ...env },
    });

  it('the versions are the ones that are meant, and there is one copy of cron', async () => {
    for (const [name, range] of Object.entries(setup.dependencies)) {
      expect((await installed(setup, name)).split('.')[0]).toBe(range.slice(1).split('.')[0]);
    }
    expect(await readdir(join(home(setup), 'node_modules/nestjs-exclusive'))).not.toContain('node_modules');
  });

  // Where both processes stand still for more than a second, a tick may be missed: then once again.
  it('each tick runs once over two processes, in both orders of the decorators', { retry: 1 }, async () => {
    await clientOf(server.it).flushall();
    const outputs = await Promise.all([start(), start()]);
    expect(outputs.map(({ stdout, stderr }) => stdout + stderr)).toEqual(['', '']);
    for (const name of ['below', 'above']) {
      const ticks = await clientOf(server.it).lrange(`runs of ${name}`, 0, -1);
      expect(ticks.length).toBeGreaterThanOrEqual(3);
      const first = Number(ticks[0]);
      expect(ticks.map(Number)).toEqual(ticks.map((_tick, index) => first + index * 1000));
    }
  });

  it('the application does not start without RedlockModule, and says what to add', async () => {
    const failure = start({ WITHOUT_MODULE: 'yes' });
    await expect(failure).rejects.toThrow('add RedlockModule.forRoot(...) to the imports of AppModule');
    await expect(failure).rejects.toThrow("Nest can't resolve dependencies of the Jobs");
  });
});
