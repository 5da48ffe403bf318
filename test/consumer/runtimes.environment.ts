/** What `docs/environments.md` says of runtimes and tools that are large. `npm run test:environments` runs it. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientOf, useServer } from '../module/redis.js';
import { EACH_TICK_ONCE, LIFE, PATIENCE, type Program, useConsumers, verdictOn } from './consumer.js';
import { npm } from '../npm.js';

const { app, runtimes, pnp } = useConsumers(
  {
    app: ['application', 'ledger', 'environments/other-ioredis', 'environments/nest-12'],
    runtimes: ['environments/runtimes'],
    pnp: ['environments/yarn-pnp'],
  },
  { runtimes: (home) => npm(home, 'install'), pnp: async () => {} },
);
const server = useServer();
const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ REDIS_URL: server.it.url, ...more });
const binary = (path: string): string => join(runtimes.home, 'node_modules', path);

beforeAll(() => app.script('build'), PATIENCE);

/** What the jobs come to in two programs that run for `LIFE` milliseconds. */
async function verdictsOn(start: () => Program): Promise<Record<string, string>> {
  const redis = clientOf(server.it);
  await redis.flushall();
  await Promise.all([start(), start()].map(({ ended }) => ended));
  const verdicts = (await redis.keys('runs of *')).map(
    async (list) => [list.slice('runs of '.length), verdictOn(await redis.lrange(list, 0, -1))] as const,
  );
  return Object.fromEntries(await Promise.all(verdicts));
}

const BOTH_ONCE = { above: EACH_TICK_ONCE, below: EACH_TICK_ONCE };

// `cron` skips a tick in a process that stalls for more than 250 ms. If both do, they are started again.
it.each([
  { runtime: 'Node 22', path: 'node-22/bin/node', args: ['dist/main.js'] },
  { runtime: 'Node 24', path: 'node-24/bin/node', args: ['dist/main.js'] },
  { runtime: 'Node 26', path: 'node-26/bin/node', args: ['dist/main.js'] },
  { runtime: 'Bun', path: '.bin/bun', args: ['dist/main.js'] },
  { runtime: 'Bun, from the sources', path: '.bin/bun', args: ['src/main.ts'] },
  { runtime: 'Deno', path: '.bin/deno', args: ['run', '-A', 'dist/main.js'] },
  { runtime: 'Deno, from the sources', path: '.bin/deno', args: ['run', '-A', 'src/main.ts'] },
])('each tick runs once over two processes of $runtime', { timeout: PATIENCE, retry: 2 }, async (kind) => {
  const start = () => app.start(kind.args, env({ LIFE: String(LIFE) }), binary(kind.path));
  expect(await verdictsOn(start)).toEqual(BOTH_ONCE);
});

describe('on SIGTERM,', { timeout: PATIENCE }, () => {
  it.each([
    { runtime: 'Bun', path: '.bin/bun', args: ['dist/signals.js'], more: { ALL_SIGNALS: 'yes' } },
    { runtime: 'Deno', path: '.bin/deno', args: ['run', '-A', 'dist/signals.js'], more: {} },
  ])('a run finishes first in $runtime', async ({ path, args, more }) => {
    const program = app.start(args, env(more), binary(path));
    await program.prints('begun');
    program.kill('SIGTERM');
    await program.ended.catch(() => {});
    expect(program.lines.slice(-3)).toEqual(['begun', 'finished', 'destroyed']);
  });

  it('Deno refuses to listen to the signals that Nest listens to by default', async () => {
    const args = ['run', '-A', 'dist/signals.js'];
    const failure = app.start(args, env({ ALL_SIGNALS: 'yes' }), binary('.bin/deno')).ended;
    await expect(failure).rejects.toThrow(/Binding to signal '\w+' is not allowed/);
  });
});

describe('PM2 in cluster mode,', { timeout: PATIENCE }, () => {
  it.each([
    { what: 'longer than a run: it finishes', killTimeout: '10000', ends: true },
    { what: 'left out: it is killed after 1.6 s', killTimeout: undefined, ends: false },
  ])('with a kill_timeout $what', async ({ killTimeout, ends }) => {
    const log = join(app.home, 'pm2.log');
    await writeFile(log, '');
    const pm2 = (...args: string[]) =>
      app.start([binary('pm2/bin/pm2'), ...args], {
        ...env(),
        PM2_HOME: join(runtimes.home, 'pm2'),
        KILL_TIMEOUT: killTimeout,
      }).ended;
    try {
      await pm2('start', 'pm2.config.cjs');
      await expect.poll(() => readFile(log, 'utf8'), { timeout: 30_000 }).toContain('begun');
      await pm2('delete', 'reports');
      await delay(200);
      const lines = (await readFile(log, 'utf8')).split('\n');
      const count = (line: string): number => lines.filter((other) => other === line).length;
      expect(count('finished') === count('begun')).toBe(ends);
      // The other worker has nothing to wait for.
      expect(count('destroyed')).toBe(ends ? 2 : 1);
    } finally {
      await pm2('kill');
    }
  });
});

it(
  "each tick runs once over two processes in Yarn's Plug'n'Play",
  { timeout: PATIENCE, retry: 2 },
  async () => {
    const yarn = [binary('@yarnpkg/cli-dist/bin/yarn.js')];
    await Promise.all(
      ['main', 'app.module', 'ledger'].map((name) =>
        copyFile(join(app.home, 'dist', `${name}.js`), join(pnp.home, `${name}.js`)),
      ),
    );
    // Without it, Yarn looks for a project in the folders above.
    await writeFile(join(pnp.home, 'yarn.lock'), '', { flag: 'a' });
    await pnp.start([...yarn, 'install', '--no-immutable'], {}).ended;
    const start = () => pnp.start([...yarn, 'node', 'main.js'], env({ LIFE: String(LIFE) }));
    expect(await verdictsOn(start)).toEqual(BOTH_ONCE);
  },
);

describe('Jest 30 on NestJS 12, in CommonJS with --experimental-vm-modules and no transformIgnorePatterns,', () => {
  it.each(['node-24', 'node-26'])('passes on %s with ts-jest', { timeout: PATIENCE }, async (node) => {
    const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '-c', 'jest.ts-jest.json'];
    expect(await app.start(args, env(), binary(`${node}/bin/node`)).ended).toMatch(
      /Tests: +2 passed, 2 total/,
    );
  });

  it('says on Node 22 what it needs', { timeout: PATIENCE }, async () => {
    const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '-c', 'jest.ts-jest.json'];
    const failure = app.start(args, env(), binary('node-22/bin/node')).ended;
    await expect(failure).rejects.toThrow('Must use import to load ES Module');
    await expect(failure).rejects.toThrow('Use Node v24.9+');
  });
});
