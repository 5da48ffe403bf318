import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addressesIn } from '../dashboard/page-addresses.js';
import type { RedisServer } from '../engine/redis-server.js';
import { clientOf, useServers } from '../module/redis.js';
import { EACH_TICK_ONCE, LIFE, PATIENCE, useConsumers, verdictOn } from './consumer.js';

interface Bundle {
  readonly what: string;
  readonly file: string;
  /** Whether it is started in a folder in which no packages are installed. */
  readonly isAlone: boolean;
}

const MINIFIED: Bundle[] = [
  { what: 'of esbuild, with all packages external', file: 'esbuild-external.cjs', isAlone: false },
  { what: 'of esbuild, with all packages in it', file: 'esbuild.cjs', isAlone: true },
  { what: 'of Rspack, with all packages in it', file: 'rspack.cjs', isAlone: true },
];
const WITH_NAMES: Bundle[] = [
  { what: 'of esbuild with --keep-names', file: 'esbuild-keep-names.cjs', isAlone: true },
  { what: 'of Rspack with keep_classnames', file: 'rspack-keep-classnames.cjs', isAlone: true },
];

const { bundles: consumer } = useConsumers({ bundles: ['bundles', 'ledger'] });
const servers = useServers(6);

let lonely: string;
beforeAll(async () => {
  lonely = await mkdtemp(join(tmpdir(), 'bundles-'));
  await consumer.script('build');
  await cp(join(consumer.home, 'dist'), lonely, { recursive: true });
}, PATIENCE);
afterAll(() => rm(lonely, { recursive: true, force: true }));

function start({ file, isAlone }: Bundle, nodes: readonly RedisServer[], life: number) {
  return consumer.start([join(isAlone ? lonely : join(consumer.home, 'dist'), file)], {
    NODES: nodes.map(({ url }) => url).join(),
    REDIS_URL: nodes[0]?.url,
    LIFE: String(life),
  });
}

// `cron` skips a tick in a process that stalls for more than 250 ms. If both do, the fleet is started again.
it.each(MINIFIED)(
  'each tick runs once over two processes, on one node and on five, in a minified bundle $what',
  { timeout: PATIENCE, retry: 2 },
  async (bundle) => {
    const [single, ...five] = servers as [RedisServer, ...RedisServer[]];
    await Promise.all(servers.map((server) => clientOf(server).flushall()));
    await Promise.all(
      [[single], five].map(async (nodes) => {
        const programs = [start(bundle, nodes, LIFE), start(bundle, nodes, LIFE)];
        await Promise.all(programs.map(({ ended }) => ended));
        // Each process warns of the job that has no name of its own, and of nothing else.
        for (const { lines } of programs) expect(lines).toEqual([expect.stringContaining('looks minified')]);

        for (const node of nodes) {
          expect(await clientOf(node).keys('*JOB_LOCKER_report*')).not.toEqual([]);
        }
        const ledger = clientOf(nodes[0] ?? single);
        const jobs = await ledger.keys('runs of *');
        expect(jobs).toHaveLength(3);
        expect(jobs).toEqual(expect.arrayContaining(['runs of report', 'runs of cleanup']));
        for (const job of jobs) expect(verdictOn(await ledger.lrange(job, 0, -1))).toBe(EACH_TICK_ONCE);
      }),
    );
  },
);

it.each(WITH_NAMES)('a bundle $what does not warn of the default name of a job', async (bundle) => {
  const [single] = servers as [RedisServer];
  expect(await start(bundle, [single], 0).ended).toBe('');
});

it.each([
  { what: 'of esbuild', file: 'dashboard-esbuild.cjs' },
  { what: 'of esbuild as an ES module', file: 'dashboard-esbuild-esm.mjs' },
  { what: 'of Rspack', file: 'dashboard-rspack.cjs' },
])(
  'the page of the dashboard and its files come with a bundle $what',
  { timeout: PATIENCE },
  async ({ file }) => {
    const program = consumer.start([join(lonely, file)]);
    await program.prints('listening ');
    const page = `${program.lines.flatMap((line) => /^listening (.+)/.exec(line)?.[1] ?? []).join()}/jobs`;
    const { files } = addressesIn(await (await fetch(page)).text(), page);
    const types = files.map(async (address) => (await fetch(address)).headers.get('content-type'));
    expect(await Promise.all(types)).toEqual(
      ['image/svg+xml', 'text/css', 'text/javascript'].map((type) => `${type}; charset=utf-8`),
    );
  },
);
