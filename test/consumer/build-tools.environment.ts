/** What `docs/environments.md` says of compilers, test runners and package managers that npm brings at little cost. */
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientOf, useServer } from '../module/redis.js';
import { type Consumer, EACH_TICK_ONCE, LIFE, PATIENCE, useConsumers, verdictOn } from './consumer.js';
import { npm } from '../npm.js';

const consumers = useConsumers(
  {
    'nest-12': ['application', 'ledger', 'environments/other-ioredis', 'environments/nest-12'],
    'nest-11': ['nest-11', 'application', 'ledger', 'environments/other-ioredis', 'environments/nest-11'],
    pnpm: ['environments/pnpm'],
  },
  {
    pnpm: (home) =>
      npm(home, 'exec', '--yes', '--package=pnpm@10', '--', 'pnpm', 'install', '--no-frozen-lockfile'),
  },
);
const server = useServer();
const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ REDIS_URL: server.it.url, ...more });

/** Runs an application twice, at the same time. @returns What became of each of its jobs. */
async function fleetOf(
  consumer: Consumer,
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
): Promise<Record<string, string>> {
  const redis = clientOf(server.it);
  await redis.flushall();
  const programs = [1, 2].map(() => consumer.start(args, env({ LIFE: String(LIFE), ...more })));
  await Promise.all(programs.map(({ ended }) => ended));
  expect(programs.flatMap(({ lines }) => lines)).toEqual([]);
  const verdicts = (await redis.keys('runs of *')).map(
    async (list) => [list.slice('runs of '.length), verdictOn(await redis.lrange(list, 0, -1))] as const,
  );
  return Object.fromEntries(await Promise.all(verdicts));
}

/** Compiles with TypeScript 7, which needs a fifth of the time. @returns What it finds wrong. */
function compile(consumer: Consumer, project: string): Promise<string> {
  return consumer.start([resolve('node_modules/typescript/bin/tsc'), '-p', project]).ended;
}

/** What the start of an application says of a client of this class. */
function refusal(name: string, remedy = USE_ANOTHER): string {
  return `InvalidOptionError: RedlockModule: nodes[0] must not be an object of class ${name}: ${remedy}`;
}

const USE_ANOTHER =
  "use a URL such as 'redis://10.1.1.1:6379', ioredis options such as { host: '10.1.1.1' }, an ioredis Redis or Cluster, or a " +
  'MemoryNode, or { ...config } if the object has the options as its own properties';

const BOTH_ONCE = { above: EACH_TICK_ONCE, below: EACH_TICK_ONCE };

describe('with NestJS 12, in ESM,', { timeout: PATIENCE }, () => {
  const consumer = consumers['nest-12'];
  beforeAll(() => consumer.script('build'), PATIENCE);

  // `cron` skips a tick in a process that stalls for more than 250 ms. If both do, they are started again.
  it.each([
    { what: 'compiled by SWC', args: ['dist/main.js'] },
    {
      what: 'from its sources by @swc-node/register',
      args: ['--import', '@swc-node/register/esm-register', 'src/main.ts'],
    },
    { what: 'from its sources by tsx, with @Inject', args: ['--import', 'tsx', 'src/injected.ts'] },
    { what: 'bundled by esbuild as an ES module', args: ['bundle/with-banner.mjs'] },
  ])('each tick runs once over two processes, $what', { retry: 2 }, async ({ args }) => {
    expect(await fleetOf(consumer, args)).toEqual(BOTH_ONCE);
  });

  it('a bundle of esbuild as an ES module asks for a require that the banner makes', async () => {
    const failure = consumer.start(['bundle/without-banner.mjs'], env()).ended;
    await expect(failure).rejects.toThrow(/Dynamic require of "\w+" is not supported/);
  });

  it('Jest 30 passes, with SWC to CommonJS', async () => {
    expect(await consumer.script('test:jest', env())).toMatch(/Tests: +2 passed, 2 total/);
  });

  it('Jest 30 passes, with ES modules and --experimental-vm-modules', async () => {
    expect(await consumer.script('test:jest:esm', env())).toMatch(/Tests: +2 passed, 2 total/);
  });

  it('node:test passes, on what SWC has compiled', async () => {
    expect(await consumer.script('test:node', env())).toMatch(/^(#|ℹ) pass 1$/m);
  });

  it.each([
    { what: 'tsc', file: 'stage-3/by-tsc/jobs.js', build: 'build:stage-3' },
    { what: 'esbuild', file: 'stage-3/by-esbuild.js', build: undefined },
  ])('without experimentalDecorators, by $what, the message names it', async ({ file, build }) => {
    if (build !== undefined) await consumer.script(build);
    const failure = consumer.start([file]).ended;
    await expect(failure).rejects.toThrow(
      'InvalidOptionError: report: @Exclusive was compiled as a standard (stage 3) decorator',
    );
    await expect(failure).rejects.toThrow('NestJS needs "experimentalDecorators": true in tsconfig.json');
  });
});

describe('with NestJS 11, in CommonJS,', { timeout: PATIENCE }, () => {
  const consumer = consumers['nest-11'];
  beforeAll(() => compile(consumer, 'tsconfig.scripts.json'), PATIENCE);

  it('Jest 30 passes, with ts-jest and no esModuleInterop', async () => {
    expect(await consumer.script('test', env())).toMatch(/Tests: +4 passed, 4 total/);
  });

  it('the clients of other packages are refused, by their class', async () => {
    const outcomes = JSON.parse(await consumer.start(['dist/clients.js']).ended) as Record<string, string>;
    const inTests = "use nodes: 'memory' in tests";
    expect(outcomes).toEqual({
      'a Redis of ioredis-mock': refusal('_RedisMock', inTests),
      'a Cluster of ioredis-mock': refusal('_RedisMock', inTests),
      'a client of node-redis': refusal('RedisClient'),
      'a pool of node-redis': refusal('RedisClientPool'),
      'a Cluster of node-redis': refusal('RedisCluster'),
      'a Sentinel group of node-redis': refusal('RedisSentinel'),
    });
  });
});

describe('with ioredis 5 in an application with ioredis 6, and the reverse,', { timeout: PATIENCE }, () => {
  const both = [consumers['nest-12'], consumers['nest-11']];

  it('the compiler takes clients and options of either, with skipLibCheck false', async () => {
    const said = both.map((consumer) => compile(consumer, 'tsconfig.copies.json'));
    expect(await Promise.all(said)).toEqual(['', '']);
  });

  it('a client of the other serves as a node', async () => {
    const said = await Promise.all(both.map((consumer) => consumer.start(['dist/copies.js'], env()).ended));
    expect(said.map((line) => JSON.parse(line) as unknown)).toEqual([
      { ran: true, value: 'done' },
      { ran: true, value: 'done' },
    ]);
  });
});

describe('in a workspace of pnpm,', { timeout: PATIENCE }, () => {
  const consumer = consumers.pnpm;
  const app = join('packages', 'app', 'src', 'app.js');
  beforeAll(() => consumer.script('build'), PATIENCE);

  it('each tick of a job in another package runs once over two processes', { retry: 2 }, async () => {
    expect(await fleetOf(consumer, [app], { REPORTS: 'reports' })).toEqual({ report: EACH_TICK_ONCE });
  });

  it('the log names a second copy of this package, which another version of ioredis makes', async () => {
    const failure = consumer.start([app], env({ REPORTS: 'legacy', LIFE: '0' })).ended;
    await expect(failure).rejects.toThrow('WARN [RedlockModule] 2 copies of nestjs-exclusive are loaded');
    await expect(failure).rejects.toThrow(
      'add RedlockModule.forRoot(...) to the imports of AppModule, from the same copy of nestjs-exclusive',
    );
  });
});
