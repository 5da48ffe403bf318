import slotOf from 'cluster-key-slot';
import { Cluster, type ClusterOptions } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { NodeUnreachableError } from '../../src/errors.js';
import type { BoundedNode } from '../../src/nodes/bounded-node.js';
import type { Claim } from '../../src/nodes/lock-node.js';
import { addReplica, type Member, placesOf, startCluster, stopCluster } from '../engine/cluster.js';
import { findEngine } from '../engine/redis-server.js';
import { claimOf, LogSpy, newName, nodeOf } from './support.js';

const TTL = 30_000;
/** After how long the others notice that a server is dead, in milliseconds. */
const NOTICED = ['--cluster-node-timeout', '6000'];
const PARTIAL = ['--cluster-require-full-coverage', 'no'];

let masters: Member[];
let log: LogSpy;
beforeEach(() => void (log = new LogSpy()));
afterEach(() => log.restore());

async function useCluster(...settings: string[]): Promise<void> {
  const started = (masters = await startCluster(...settings));
  onTestFinished(() => stopCluster(started));
}

async function opened(nodeTimeout: number, options: ClusterOptions = {}): Promise<BoundedNode> {
  const seeds = masters.map(({ server: { port } }) => ({ host: 'localhost', port }));
  const client = new Cluster(seeds, { lazyConnect: true, ...options });
  const node = nodeOf(client, { nodeTimeout, isAlone: true });
  onTestFinished(() => node.close());
  await vi.waitFor(() => node.open(), 5000);
  // There is a connection to each server now.
  for (const master of masters) await node.claim(newClaim(master), 'a', TTL);
  return node;
}

/** A claim of a new job whose slot this master has. */
function newClaim(master: Member, at?: number): Claim {
  for (;;) {
    const claim = claimOf(newName(), at);
    if (placesOf(slotOf(claim.lock), masters)[0] === master) return claim;
  }
}

/** A line of the log about a claim. */
function told(what: string, { lock }: Claim): unknown {
  return expect.stringMatching(`Redis Cluster .* ${what} the lock of "${lock}"`);
}

describe.skipIf(findEngine().kind === 'embedded')('a master of a Cluster', () => {
  it.each<[what: string, nodeTimeout: number, options: ClusterOptions]>([
    ['with the default options', 500, {}],
    [
      'with a long nodeTimeout, and no retries',
      2000,
      { retryDelayOnFailover: 0, retryDelayOnClusterDown: 0 },
    ],
  ])(
    'that has died is said to be unreachable, once for each job, until its replica has taken over: a Cluster %s',
    { timeout: 90_000 },
    async (_what, nodeTimeout, options) => {
      await useCluster(...NOTICED, ...PARTIAL);
      const replica = await addReplica(masters, ...NOTICED, ...PARTIAL);
      onTestFinished(() => stopCluster([replica]));
      const node = await opened(nodeTimeout, options);
      const [dead, well] = masters as [Member, Member];
      const name = newClaim(dead).lock.replace('JOB_LOCKER_', '');
      const plain = newClaim(dead);
      await dead.server.kill();

      const claims = (at: number): Claim[] => [claimOf(name, at), plain];
      const begin = Date.now() - 60_000;
      for (let count = 0; count < 2; count++) {
        const answers = await Promise.allSettled(
          [...claims(begin + count), newClaim(well, Date.now())].map((claim) => node.claim(claim, 'a', TTL)),
        );
        expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
        for (const answer of answers.slice(0, 2)) {
          const { scope, reason } = (answer as PromiseRejectedResult).reason as NodeUnreachableError;
          expect(scope).toBe('lock');
          expect(reason).toMatch(/has its keys( \(127\.0\.0\.1:\d+\))? cannot be reached/);
        }
      }
      await vi.waitFor(async () => {
        for (const claim of claims(begin + 1000))
          expect(await node.claim(claim, 'b', TTL)).toEqual({ kind: 'granted' });
      }, 60_000);

      const [tick] = claims(0) as [Claim];
      expect(log.lines).toHaveLength(4);
      expect(log.lines).toEqual(
        expect.arrayContaining([told('cannot grant', tick), told('can grant', tick)]),
      );
      expect(log.lines).toEqual(
        expect.arrayContaining([told('cannot grant', plain), told('can grant', plain)]),
      );
    },
  );

  it(
    'that has died is told of as CLUSTERDOWN once the others refuse all claims',
    { timeout: 60_000 },
    async () => {
      await useCluster(...NOTICED);
      const node = await opened(500);
      const [dead, ...others] = masters as [Member, Member, Member];
      await dead.server.kill();
      for (const { client } of others)
        await vi.waitFor(
          async () => expect(await client.cluster('INFO')).toContain('cluster_state:fail'),
          30_000,
        );
      for (const claim of [newClaim(dead, Date.now()), newClaim(others[0]), newClaim(dead)])
        await expect(node.claim(claim, 'a', TTL)).rejects.toMatchObject({
          scope: 'server',
          reason: 'CLUSTERDOWN The cluster is down',
        });
      expect(log.lines).toEqual([
        expect.stringMatching(/Redis Cluster .* is unavailable: CLUSTERDOWN The cluster is down/),
      ]);
    },
  );

  it('is looked up by its name once all of them have died, also with a clusterNodeRetryStrategy', async () => {
    await useCluster(...NOTICED);
    let lookups = 0;
    await opened(500, {
      clusterNodeRetryStrategy: () => 50,
      dnsLookup: (host, done) => {
        lookups++;
        done(null, host === 'localhost' ? '127.0.0.1' : host);
      },
    });
    await Promise.all(masters.map(({ server }) => server.kill()));
    lookups = 0;
    await vi.waitFor(() => expect(lookups).toBeGreaterThan(0), 10_000);
  });
});
