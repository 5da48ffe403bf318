import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import { JobKeys } from '../../src/nodes/job-keys.js';
import type { Claim, LockNode, TickClaim } from '../../src/nodes/lock-node.js';
import { NodeUnreachableError } from '../../src/errors.js';
import { BoundedNode } from '../../src/nodes/bounded-node.js';
import type { ManualClock } from '../../src/testing/manual-clock.js';
import type { NodeSettings } from '../../src/nodes/node-driver.js';
import { RedisNode } from '../../src/nodes/redis/redis-node.js';

/** A server, or a proxy in front of one. */
export interface Port {
  readonly port: number;
}

export const SETTINGS: NodeSettings = { nodeTimeout: 1000, connectionName: 'test' };

/** A node with a connection of its own. */
export function nodeAt({ port }: Port, settings: Partial<NodeSettings> = {}): BoundedNode {
  return nodeOf({ host: '127.0.0.1', port }, settings);
}

/** A node of options, or of a client of an application. */
export function nodeOf(
  how: RedisOptions | Redis | Cluster,
  settings: Partial<NodeSettings> = {},
): BoundedNode {
  const all = { ...SETTINGS, ...settings };
  const driver = 'duplicate' in how ? RedisNode.like(how, all) : RedisNode.connecting(how, all);
  return new BoundedNode(driver, all.nodeTimeout);
}

export async function openNodes(
  ports: readonly Port[],
  settings: Partial<NodeSettings> = {},
): Promise<BoundedNode[]> {
  const nodes = ports.map((port) => nodeAt(port, settings));
  await Promise.all(nodes.map((node) => node.open()));
  return nodes;
}

/** A client of the server that knows nothing of locks. */
export function rawClient({ port }: Port): Redis {
  return new Redis(port, '127.0.0.1').on('error', () => {});
}

/** A name that no other test has. */
export function newName(): string {
  return `job-${randomUUID()}`;
}

/** A claim of the lock of `name`, and of the tick of `at`, if that is given. */
export function claimOf(name: string, at?: number, tick: Partial<TickClaim> = {}): Claim {
  const keys = new JobKeys('JOB_LOCKER', name);
  if (at === undefined) return { lock: keys.lock };
  return {
    lock: keys.lock,
    tick: {
      key: keys.tick(at),
      last: keys.last,
      at,
      keep: 60_000,
      recover: false,
      ...tick,
    },
  };
}

/** The keys of a server that belong to `name`. */
export function keysOf(client: Redis, name: string): Promise<string[]> {
  return client.keys(`*JOB_LOCKER_${name}*`);
}

/** How often each command has been called on a server since it started. */
export async function callsOf(client: Redis): Promise<Map<string, number>> {
  const info = await client.info('commandstats');
  return new Map(
    [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name = '', calls]) => [name, Number(calls)]),
  );
}

/** Everything that Nest logs from now on, as `warn: text`, until `restore`. */
export class LogSpy {
  readonly lines: string[] = [];

  constructor() {
    const note =
      (level: string) =>
      (...parts: unknown[]): void =>
        void this.lines.push(`${level}: ${parts.map(String).join(' ')}`);
    Logger.overrideLogger({
      log: note('log'),
      warn: note('warn'),
      error: note('error'),
      debug: note('debug'),
      verbose: note('verbose'),
      fatal: note('fatal'),
    });
  }

  restore(): void {
    Logger.overrideLogger(false);
  }
}

/** A node that cannot be reached. */
export function deadNode(): LockNode {
  return {
    address: 'nowhere:1',
    claim: fail,
    extend: fail,
    settle: fail,
    release: fail,
    look: fail,
    pause: fail,
    register: fail,
    registered: fail,
    open: fail,
    close: () => Promise.resolve(),
  };
}

function fail(): Promise<never> {
  return Promise.reject(new NodeUnreachableError('nowhere:1', 'dead'));
}

/** An answer, and after how many milliseconds it came: of real time, or on a manual clock, which moves until then. */
export async function timed<T>(
  promise: Promise<T>,
  clock?: ManualClock,
): Promise<{ answer: T; took: number }> {
  const now = (): number => clock?.elapsed() ?? performance.now();
  const asked = now();
  const answer = await (clock ? clock.until(promise) : promise);
  return { answer, took: now() - asked };
}
