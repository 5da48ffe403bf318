import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
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

interface Consumer {
  readonly what: string;
  readonly folder: string;
  /** The script that compiles it in another way, and what that is. */
  readonly otherBuild: readonly [script: string, what: string];
  readonly tests: string;
  /** What its test runner says at the end. */
  readonly passed: RegExp;
}

const CONSUMERS: Consumer[] = [
  {
    what: 'NestJS 11, @nestjs/schedule 6 and ioredis 5, in CommonJS with TypeScript 5',
    folder: 'nest-11',
    otherBuild: ['build:node10', 'with module commonjs and moduleResolution node10'],
    tests: 'Jest',
    passed: /Tests: +2 passed, 2 total/,
  },
  {
    what: 'NestJS 12, @nestjs/schedule 12 and ioredis 6, in ESM with TypeScript 7',
    folder: 'nest-12',
    otherBuild: ['build:bundler', 'with moduleResolution bundler'],
    tests: 'Vitest',
    passed: /Tests +\d+ passed \(\d+\)/,
  },
];

let folder: string;
let tarball: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consumers-'));
  // This builds the package first, as `npm publish` does.
  await npm(ROOT, 'pack', '--pack-destination', folder);
  tarball = join(folder, (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '');
  await Promise.all(CONSUMERS.map(install));
}, PATIENCE);
afterAll(() => rm(folder, { recursive: true, force: true }));

function npm(cwd: string, ...args: string[]) {
  return execute('npm', [...args, ...NPM_FLAGS], { cwd });
}

const home = (consumer: Consumer): string => join(folder, consumer.folder);

async function install(consumer: Consumer): Promise<void> {
  await cp(join(SOURCES, consumer.folder), home(consumer), { recursive: true });
  await cp(join(SOURCES, 'application'), join(home(consumer), 'src'), { recursive: true });
  await npm(home(consumer), 'install', '--strict-peer-deps', `file:${tarball}`);
}

async function manifestOf(path: string): Promise<{ version: string; dependencies: Record<string, string> }> {
  return JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as never;
}

describe.each(CONSUMERS)('with $what', { timeout: PATIENCE }, (consumer) => {
  const server = useServer();
  const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    ...process.env,
    // What Vitest sets for its own tests is not for theirs.
    NODE_ENV: undefined,
    VITEST: undefined,
    FORCE_COLOR: undefined,
    NO_COLOR: '1',
    REDIS_URL: server.it.url,
    LIFE: String(LIFE),
    ...more,
  });
  const start = (more?: NodeJS.ProcessEnv) =>
    execute(process.execPath, [join(home(consumer), 'dist/main.js')], { env: env(more) });
  const script = (name: string) =>
    execute('npm', ['run', '--silent', name], { cwd: home(consumer), env: env() }).catch(
      ({ stdout, stderr }: { stdout: string; stderr: string }) => {
        throw new Error(`npm run ${name} failed: ${stdout}${stderr}`);
      },
    );

  it('the versions are the ones that are meant, and there is one copy of cron', async () => {
    const { dependencies } = await manifestOf(join(SOURCES, consumer.folder));
    for (const [name, range] of Object.entries(dependencies)) {
      const { version } = await manifestOf(join(home(consumer), 'node_modules', name));
      expect(version.split('.')[0]).toBe(range.slice(1).split('.')[0]);
    }
    expect(await readdir(join(home(consumer), 'node_modules/nestjs-exclusive'))).not.toContain(
      'node_modules',
    );
  });

  it('the compiler finds nothing wrong with skipLibCheck false', async () => {
    expect((await script('build')).stdout).toBe('');
  });

  it(`the compiler finds nothing wrong ${consumer.otherBuild[1]}`, async () => {
    expect((await script(consumer.otherBuild[0])).stdout).toBe('');
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

  it(`its tests pass, with a fleet in ${consumer.tests}`, async () => {
    const { stdout, stderr } = await script('test');
    expect(stdout + stderr).toMatch(consumer.passed);
  });
});
