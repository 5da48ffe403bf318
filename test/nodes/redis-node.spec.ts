import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Acquirer } from '../../src/acquire/acquirer.js';
import { systemClock } from '../../src/clock.js';
import type { Vote } from '../../src/nodes/lock-node.js';
import type { ServerClock } from '../../src/nodes/redis/server-clock.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { nodeEntries } from '../../src/options/nodes-option.js';
import { createStore } from '../../src/acquire/create-store.js';
import type { BoundedNode } from '../../src/nodes/bounded-node.js';
import { NodeUnreachableError } from '../../src/errors.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import {
  callsOf,
  claimOf,
  keysOf,
  LogSpy,
  newName,
  nodeAt,
  nodeOf,
  rawClient,
  SETTINGS,
  timed,
} from './support.js';
import { TcpProxy } from './tcp-proxy.js';

const isEmbedded = findEngine().kind === 'embedded';
const TTL = 30_000;
/** What a busy machine may add to a duration, in milliseconds. */
const BUSY = 1000;
const DAY = 86_400_000;

let server: RedisServer;
let client: Redis;
let name: string;
let log: LogSpy;
/** Ends what a test began, the newest first. */
let cleanUps: (() => unknown)[];

beforeAll(async () => {
  server = await RedisServer.start();
  client = rawClient(server);
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});
beforeEach(() => {
  name = newName();
  log = new LogSpy();
  cleanUps = [];
});
afterEach(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  log.restore();
});

it.each([
  ['as long as the records of the job', 30 * DAY, 30 * DAY],
  ['at least a day longer than the marker of the tick', 1000, DAY + 60_000],
])('the newest settled tick is remembered %s', async (_howLong, keep, expected) => {
  const node = await open(nodeAt(server, { nodeTimeout: 500 }));
  const { records } = new JobKeys('JOB_LOCKER', name);
  const claim = { ...claimOf(name, Date.now()), history: { records, limit: 1, keep } };
  await node.claim(claim, 'a', TTL);
  await node.settle(claim, 'a', 'a record');
  const left = await client.pttl(claim.tick?.last ?? '');
  expect(left).toBeGreaterThan(expected - BUSY);
  expect(left).toBeLessThanOrEqual(expected);
});

describe('a server that hangs', () => {
  afterEach(() => server.resume());

  it('is answered for within nodeTimeout', async () => {
    const node = await open(nodeAt(server, { nodeTimeout: 500 }));
    server.pause();
    const { answer, took } = await timed(outcome(node.claim(claimOf(name, Date.now()), 'a', TTL)));
    expect(answer).toBe(`NodeUnreachableError: Node ${at(server)}: no answer within 500 ms`);
    expect(took).toBeGreaterThan(490);
    expect(took).toBeLessThan(500 + BUSY);
  });

  it('only when it writes is silent, and its connections are not said to have been closed', async () => {
    const node = await open(nodeAt(server, { nodeTimeout: 300 }));
    await client.call('CLIENT', 'PAUSE', '2000', 'WRITE');
    const answers = await Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        await pause(150 * index);
        return outcome(node.claim(claimOf(newName(), Date.now()), 'a', TTL));
      }),
    );
    expect(answers.map((answer) => answer.replace(/.*: /, ''))).toEqual(
      answers.map(() => 'no answer within 300 ms'),
    );
    await client.call('CLIENT', 'UNPAUSE');
  });

  it('gives back what it grants in time, and says so late', async () => {
    const proxy = await newProxy();
    const node = await open(nodeAt(proxy, { nodeTimeout: 300 }));
    // So that its script is known.
    await node.claim(claimOf(newName(), Date.now()), 'a', TTL);
    proxy.delay = 200;
    const claim = claimOf(name, Date.now());
    const lost = outcome(node.claim(claim, 'a', TTL));
    await vi.waitFor(async () => expect(await client.get(claim.lock)).toBe('a'), { interval: 10 });
    expect(await lost).toContain('no answer within 300 ms');
    await vi.waitFor(async () => expect(await keysOf(client, name)).toEqual([]), 3000);
  });

  it('gives back a lock that it grants late, too', async () => {
    const node = await open(nodeAt(server, { nodeTimeout: 300 }));
    server.pause();
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toContain('no answer within 300 ms');
    server.resume();
    await node.claim(claimOf(newName()), 'b', TTL).catch(() => {});
    await vi.waitFor(async () => expect(await client.exists(claimOf(name).lock)).toBe(0), 3000);
  });

  it.each(['claim', 'extend'] as const)(
    'does not carry out a late %s of an instance that is gone',
    async (what) => {
      const own = new Redis(server.port, '127.0.0.1').on('error', () => {});
      const node = await open(nodeOf(own, { nodeTimeout: 300 }));
      const claim = claimOf(name, Date.now());
      server.pause();
      expect(await outcome(node[what](claim, 'a', TTL))).toContain('no answer within 300 ms');
      own.disconnect();
      // The server's clock is known to some milliseconds.
      await pause(100);
      server.resume();
      expect(await voteWithin(2000, node)).toEqual({ kind: 'granted' });
      expect(await keysOf(client, name)).toEqual([]);
    },
  );

  it('is not asked who has a lock once nobody waits for that', async () => {
    const node = await open(nodeAt(server, { nodeTimeout: 300 }));
    const claim = claimOf(name);
    await client.set(claim.lock, 'somebody', 'PX', 500);
    server.pause();
    expect(await outcome(node.claim(claim, 'a', TTL))).toContain('no answer within 300 ms');
    const before = performance.now();
    server.resume();
    const asked = await scripts();
    await pause(Math.max(0, before + 600 - performance.now()));
    expect(await scripts()).toBe(asked);
    expect(await client.exists(claim.lock)).toBe(0);
  });

  it('votes again by itself when it goes on', async () => {
    const node = await open(nodeAt(server, { nodeTimeout: 200 }));
    server.pause();
    for (let count = 0; count < 5; count++) await outcome(node.claim(claimOf(name), 'a', TTL));
    server.resume();
    expect(await voteWithin(2000, node)).toEqual({ kind: 'granted' });
  });

  it('is left for a new connection, and until there is one, is answered for at once', async () => {
    const proxy = await newProxy();
    const node = await open(nodeAt(proxy, { nodeTimeout: 300 }));
    proxy.swallow = 'everything';
    for (let count = 0; count < 3; count++) {
      expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toContain(at(proxy));
    }
    const { answer, took } = await timed(outcome(node.claim(claimOf(name), 'a', TTL)));
    expect(answer).toContain(at(proxy));
    expect(took).toBeLessThan(200);
    proxy.swallow = 'nothing';
    expect(await voteWithin(4000, node)).toEqual({ kind: 'granted' });
    expect(proxy.connections).toBeGreaterThan(1);
  });

  it('is left for a new connection also when it hangs while the connection is being made', async () => {
    const proxy = await newProxy();
    proxy.swallow = 'everything';
    const node = closedLater(nodeAt(proxy, { nodeTimeout: 300 }));
    expect(await outcome(node.open())).toContain(at(proxy));
    await pause(500);
    proxy.swallow = 'nothing';
    expect(await voteWithin(4000, node)).toEqual({ kind: 'granted' });
  });

  it('does not cost the application its own connection', async () => {
    const proxy = await newProxy();
    const own = new Redis(proxy.port, '127.0.0.1');
    cleanUps.push(() => own.disconnect());
    const onClose = vi.fn<() => void>();
    own.on('close', onClose);
    const node = await open(nodeOf(own, { nodeTimeout: 300 }));
    proxy.swallow = 'everything';
    for (let count = 0; count < 5; count++) await outcome(node.claim(claimOf(name), 'a', TTL));
    await pause(900);
    expect(own.status).toBe('ready');
    expect(onClose).not.toHaveBeenCalled();
  });

  it('does not keep close() waiting', async () => {
    const node = await open(nodeAt(server, { nodeTimeout: 300 }));
    server.pause();
    const { took } = await timed(node.close());
    expect(took).toBeLessThan(300 + BUSY);
  });
});

it('takes a free lock, and frees it, with one command each', async () => {
  const node = await open(nodeAt(server));
  // So that its scripts are known.
  await node.claim(claimOf(newName()), 'a', TTL);
  await node.release(claimOf(name), 'a');
  await client.config('RESETSTAT');
  await node.claim(claimOf(name), 'a', TTL);
  expect([...(await callsOf(client)).keys()].filter((command) => /^(set|eval)/.test(command))).toEqual([
    'set',
  ]);
  await node.release(claimOf(name), 'a');
  const calls = await callsOf(client);
  expect([calls.get('set'), calls.get('evalsha'), calls.get('eval')]).toEqual([1, 1, undefined]);
});

describe('a server that is away', () => {
  it('gets nothing that was asked for meanwhile, and votes again within 2 s', async () => {
    const node = await open(nodeAt(server));
    await server.kill();
    await vi.waitFor(async () => expect(await outcome(node.open())).not.toBe('fulfilled'));
    for (let count = 0; count < 20; count++) {
      const { answer, took } = await timed(outcome(node.claim(claimOf(name), 'a', TTL)));
      expect(answer).toContain(`Node ${at(server)}: `);
      expect(took).toBeLessThan(200);
      expect(await outcome(node.extend(claimOf(name), 'a', TTL))).not.toBe('fulfilled');
    }
    await server.restart();
    const back = performance.now();
    await vi.waitFor(async () => expect(await client.client('LIST')).toContain('name=test'), 5000);
    expect(performance.now() - back).toBeLessThan(2000);
    await pause(300);
    const calls = await callsOf(client);
    for (const command of ['evalsha', 'eval', 'set']) expect(calls.get(command)).toBeUndefined();
    expect(await voteWithin(100 + BUSY, node)).toEqual({ kind: 'granted' });
  });

  it('gets nothing that was asked for meanwhile over the connection of the application either', async () => {
    const own = new Redis(server.port, '127.0.0.1').on('error', () => {});
    cleanUps.push(() => own.disconnect());
    const node = await open(nodeOf(own));
    await server.kill();
    await vi.waitFor(() => expect(own.status).not.toBe('ready'));
    for (let count = 0; count < 5; count++) {
      expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toContain(`Node ${at(server)}: `);
    }
    await server.restart();
    await vi.waitFor(() => expect(own.status).toBe('ready'), 5000);
    await pause(300);
    const calls = await callsOf(client);
    for (const command of ['evalsha', 'eval', 'set']) expect(calls.get(command)).toBeUndefined();
  });

  it('gets the settles and releases that it missed once it is back', async () => {
    const proxy = await newProxy();
    const node = await open(nodeAt(proxy));
    const run = claimOf(name, Date.now());
    const lock = claimOf(newName());
    await node.claim(run, 'a', TTL);
    await node.claim(lock, 'b', TTL);
    proxy.refuses = true;
    proxy.cut();
    await vi.waitFor(async () => expect(await outcome(node.settle(run, 'a'))).not.toBe('fulfilled'));
    expect(await outcome(node.release(lock, 'b'))).not.toBe('fulfilled');
    expect(await client.get(run.lock)).toBe('a');
    proxy.refuses = false;
    await vi.waitFor(
      async () => expect(await client.get(run.tick?.last ?? '')).toBe(`${run.tick?.at}`),
      5000,
    );
    await vi.waitFor(async () => expect(await client.exists(run.lock, lock.lock)).toBe(0), 5000);
  });

  it('gets a settle that was on its way when the network failed', async () => {
    const proxy = await newProxy();
    const node = await open(nodeAt(proxy, { nodeTimeout: 300 }));
    const run = claimOf(name, Date.now());
    await node.claim(run, 'a', TTL);
    proxy.swallow = 'everything';
    expect(await outcome(node.settle(run, 'a'))).toContain('no answer within 300 ms');
    proxy.cut();
    proxy.swallow = 'nothing';
    await vi.waitFor(
      async () => expect(await client.get(run.tick?.last ?? '')).toBe(`${run.tick?.at}`),
      5000,
    );
    expect(await client.exists(run.lock)).toBe(0);
  });

  it('is reported by open() with its address, and does not keep close() waiting', async () => {
    const dead = await RedisServer.start();
    await dead.stop();
    const node = nodeAt(dead);
    expect(await outcome(node.open())).toMatch(`Node ${at(dead)}: connect ECONNREFUSED`);
    const { took } = await timed(node.close());
    expect(took).toBeLessThan(SETTINGS.nodeTimeout + BUSY);
  });

  it('is one line of the log when it goes, and one when it is back', async () => {
    const node = await open(nodeAt(server));
    await server.kill();
    for (let count = 0; count < 30; count++) {
      await outcome(node.claim(claimOf(name), 'a', TTL));
      await outcome(node.release(claimOf(name), 'a'));
      await pause(20);
    }
    await server.restart();
    expect(await voteWithin(2000, node)).toEqual({ kind: 'granted' });
    expect(log.lines).toHaveLength(2);
    expect(log.lines[0]).toMatch(new RegExp(`^warn: Node ${at(server)} `));
    expect(log.lines[1]).toMatch(new RegExp(`^log: Node ${at(server)} `));
  });
});

describe.skipIf(isEmbedded)('a server that is slow while it refuses new connections', () => {
  it.each<[what: string, change: string[], why: string]>([
    ['its password has been changed', ['CONFIG', 'SET', 'requirepass', 'other'], '.*WRONGPASS'],
    ['it has no room for more', ['CONFIG', 'SET', 'maxclients', '1'], ''],
    ['the user may no longer select the database', ['ACL', 'SETUSER', 'default', '-select'], '.*NOPERM'],
  ])('votes again over the old one: %s', async (_, [command, ...change], why) => {
    const slow = await started();
    const owner = rawClient(slow);
    cleanUps.push(() => owner.disconnect());
    await owner.config('SET', 'requirepass', 'hidden');
    const node = closedLater(
      nodeOf({ host: '127.0.0.1', port: slow.port, password: 'hidden', db: 2 }, { nodeTimeout: 300 }),
    );
    await node.open();
    await owner.call(command!, ...change);
    await owner.client('PAUSE', 60_000, 'WRITE');
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toContain('no answer within 300 ms');
    // When this claim fails, the second connection has been refused.
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).not.toBe('fulfilled');
    await owner.client('UNPAUSE');
    expect(await voteWithin(2000, node)).toEqual({ kind: 'granted' });
    expect(log.lines).toEqual([
      expect.stringMatching(
        `^warn: Node ${at(slow)} cannot vote: no answer within 300 ms; a second connection failed: ${why}`,
      ),
      expect.stringMatching(`^log: Node ${at(slow)} votes again`),
    ]);
  });
});

it('a connection dropped in silence is replaced soon after new ones are no longer refused', async () => {
  const proxy = await newProxy();
  const node = await open(nodeAt(proxy, { nodeTimeout: 1000 }));
  proxy.forget();
  proxy.refuses = true;
  for (let count = 0; count < 2; count++) {
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).not.toBe('fulfilled');
  }
  proxy.refuses = false;
  expect(await voteWithin(2500, node)).toEqual({ kind: 'granted' });
});

describe('a reply that is lost after the script ran', () => {
  it('does not turn the claim against itself when it comes again', async () => {
    const proxy = await newProxy();
    const node = await open(nodeAt(proxy, { nodeTimeout: 300 }));
    proxy.swallow = 'replies';
    const lost = outcome(node.claim(claimOf(name), 'a', TTL));
    await vi.waitFor(async () => expect(await client.get(claimOf(name).lock)).toBe('a'));
    expect(await lost).toContain('no answer');
    proxy.swallow = 'nothing';
    proxy.cut();
    await vi.waitFor(
      async () => expect(await node.claim(claimOf(name), 'a', TTL)).toEqual({ kind: 'granted' }),
      5000,
    );
  });

  it('is a vote against that says so', async () => {
    const proxy = await newProxy();
    const node = await open(nodeAt(proxy));
    proxy.swallow = 'replies';
    const lost = outcome(node.claim(claimOf(name), 'a', TTL));
    await vi.waitFor(async () => expect(await client.get(claimOf(name).lock)).toBe('a'));
    proxy.cut();
    expect(await lost).toBe(`NodeUnreachableError: Node ${at(proxy)}: the connection was closed`);
  });

  it('costs no tick: the claim is taken again over a new connection', async () => {
    const proxy = await newProxy();
    const node = await open(nodeAt(proxy, { nodeTimeout: 2000 }));
    const claim = claimOf(name, Date.now());
    proxy.swallow = 'replies';
    const { signal } = new AbortController();
    const answer = new Acquirer(createStore([node], systemClock), 2000, systemClock).acquire(
      claim,
      TTL,
      0,
      signal,
    );
    await vi.waitFor(async () => expect(await client.exists(claim.lock)).toBe(1));
    proxy.swallow = 'nothing';
    proxy.cut();
    expect(await answer).toHaveProperty('validUntil');
    expect(await client.exists(claim.lock)).toBe(1);
  });

  it('is not asked for again like the commands of an application that resends', async () => {
    const proxy = await newProxy();
    const own = new Redis(proxy.port, '127.0.0.1').on('error', () => {});
    cleanUps.push(() => own.disconnect());
    const node = await open(nodeOf(own, { nodeTimeout: 5000 }));
    proxy.swallow = 'replies';
    const answer = node.claim(claimOf(name), 'a', TTL);
    await vi.waitFor(async () => expect(await client.get(claimOf(name).lock)).toBe('a'));
    proxy.swallow = 'nothing';
    proxy.cut();
    await expect(answer).rejects.toThrow('the connection was closed');
    await vi.waitFor(async () => expect(await client.exists(claimOf(name).lock)).toBe(0), 3000);
  });
});

describe('a server in the field', () => {
  it('may have its clock set: what seems to be late is asked for once more', async () => {
    const node = await open(nodeAt(server));
    const claims = [claimOf(newName(), Date.now()), claimOf(newName(), Date.now())];
    await node.claim(claimOf(newName(), Date.now()), 'a', TTL);
    await client.config('RESETSTAT');
    (Reflect.get(Reflect.get(node, 'node'), 'clock') as ServerClock).note(
      Date.now() - 3_600_000,
      performance.now(),
    );
    for (const claim of claims) expect(await node.claim(claim, 'a', TTL)).toEqual({ kind: 'granted' });
    expect((await callsOf(client)).get('evalsha')).toBe(3);
    expect(await node.extend(claims[0]!, 'a', TTL)).toBe(true);
    expect((await callsOf(client)).get('eval')).toBe(1);
  });

  it('has told its time when it was opened, so that a claim is one command', async () => {
    const [node, another] = [await open(nodeAt(server)), await open(nodeAt(server))];
    // So that its script is known.
    await another.claim(claimOf(newName(), Date.now()), 'a', TTL);
    await client.config('RESETSTAT');
    expect(await node.claim(claimOf(name, Date.now()), 'a', TTL)).toEqual({ kind: 'granted' });
    expect((await callsOf(client)).get('evalsha')).toBe(1);
  });

  it('need not have told its time before it is asked to vote', async () => {
    const node = closedLater(nodeAt(server));
    expect(await voteWithin(2000, node)).toEqual({ kind: 'granted' });
    expect(await node.extend(claimOf(newName()), 'a', TTL)).toBe(true);
  });

  it('may forget its scripts', async () => {
    const node = await open(nodeAt(server));
    const claim = claimOf(name, Date.now());
    await node.claim(claim, 'a', TTL);
    await client.script('FLUSH');
    expect(await node.extend(claim, 'a', TTL)).toBe(true);
    await client.script('FLUSH');
    expect(await node.settle(claim, 'a')).toBe(true);
    await client.script('FLUSH');
    expect(await node.claim(claim, 'b', TTL)).toEqual({ kind: 'settled' });
    expect(await node.release(claim, 'b')).toBe(false);
  });

  it('may forget its keys: the holder has the lock again with the next extension', async () => {
    const node = await open(nodeAt(server));
    await node.claim(claimOf(name), 'a', TTL);
    await client.flushall();
    expect(await node.extend(claimOf(name), 'a', TTL)).toBe(true);
    expect(await node.claim(claimOf(name), 'b', TTL)).toMatchObject({ kind: 'overlap', holder: 'a' });
  });

  it.skipIf(isEmbedded)('is unfit as a replica, and says so at each claim', async () => {
    const replica = await started(['--replicaof', '127.0.0.1', `${server.port}`]);
    const node = closedLater(nodeAt(replica));
    expect((await node.open()).unfit).toContain('replica');
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toMatch(
      new RegExp(`Node ${at(replica)}: .*READONLY`, 's'),
    );
  });

  it.skipIf(isEmbedded)('is found again when its address leads to a new master', async () => {
    const [old, master] = [await started(), await started()];
    const proxy = await TcpProxy.to(old.port);
    cleanUps.push(() => proxy.close());
    const node = await open(nodeAt(proxy));
    const oldClient = rawClient(old);
    cleanUps.push(() => oldClient.disconnect());
    await oldClient.replicaof('127.0.0.1', master.port);
    proxy.target = master.port;
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toContain('READONLY');
    expect(await voteWithin(2000, node)).toEqual({ kind: 'granted' });
  });

  it.skipIf(isEmbedded)('that is out of memory votes against, and says so once', async () => {
    const node = await open(nodeAt(server));
    cleanUps.push(() => client.config('SET', 'maxmemory', 0));
    await client.config('SET', 'maxmemory', 1);
    for (let tick = 0; tick < 3; tick++) {
      expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toMatch(
        new RegExp(`Node ${at(server)}: .*OOM`, 's'),
      );
      await node.release(claimOf(name), 'a');
    }
    await client.config('SET', 'maxmemory', 0);
    expect(await voteWithin(BUSY, node)).toEqual({ kind: 'granted' });
    expect(log.lines.map((line) => line.split(' ')[0])).toEqual(['warn:', 'log:']);
    expect(log.lines[0]).toContain('OOM');
  });

  it.skipIf(isEmbedded)('that is out of memory still says who has a lock', async () => {
    const node = await open(nodeAt(server));
    cleanUps.push(() => client.config('SET', 'maxmemory', 0));
    await client.set(claimOf(name).lock, 'somebody', 'PX', TTL);
    await client.config('SET', 'maxmemory', 1);
    expect(await node.claim(claimOf(name), 'a', TTL)).toMatchObject({ kind: 'overlap', holder: 'somebody' });
    expect(log.lines).toEqual([]);
  });

  it.skipIf(isEmbedded)('that cannot save votes against, and says so', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'misconf-'));
    const other = await started(['--dir', folder, '--save', '3600', '1']);
    const otherClient = rawClient(other);
    cleanUps.push(() => otherClient.disconnect());
    rmdirSync(folder);
    await otherClient.bgsave();
    await vi.waitFor(
      async () => expect(await otherClient.info('persistence')).toContain('rdb_last_bgsave_status:err'),
      5000,
    );
    const node = await open(nodeAt(other));
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toMatch(
      new RegExp(`Node ${at(other)}: .*MISCONF`, 's'),
    );
  });

  it.skipIf(isEmbedded)('that is busy with a script votes against, and says so', async () => {
    const busy = await started(['--lua-time-limit', '50']);
    const [endless, other] = [rawClient(busy), rawClient(busy)];
    cleanUps.push(() => [endless, other].map((each) => each.disconnect()));
    await other.ping();
    const node = await open(nodeAt(busy, { nodeTimeout: 5000 }));
    const script = outcome(endless.eval('while true do end', 0));
    await vi.waitFor(async () => expect(await outcome(other.ping())).toContain('BUSY'), 5000);
    expect(await outcome(node.claim(claimOf(name), 'a', TTL))).toMatch(
      new RegExp(`Node ${at(busy)}: .*BUSY`, 's'),
    );
    await other.script('KILL');
    expect(await script).toContain('killed');
    expect(await voteWithin(2000, node)).toEqual({ kind: 'granted' });
  });

  it('that has something else under the key votes against, and leaves all as it was', async () => {
    const node = await open(nodeAt(server));
    const claim = {
      ...claimOf(name, Date.now()),
      every: { key: `{JOB_LOCKER_${name}}:every`, keep: TTL },
    };
    for (const key of [claim.lock, claim.tick?.key, claim.tick?.last, claim.every.key]) {
      await client.hset(key ?? '', 'field', 'value');
      expect(await outcome(node.claim(claim, 'a', TTL))).toMatch(
        new RegExp(`Node ${at(server)}: .*WRONGTYPE`, 's'),
      );
      expect(await keysOf(client, name)).toEqual([key]);
      await client.del(key ?? '');
    }
    // One bad key is no trouble of the node.
    expect(await node.claim(claimOf(newName(), Date.now()), 'a', TTL)).toEqual({ kind: 'granted' });
    expect(await node.claim(claim, 'a', TTL)).toEqual({ kind: 'granted' });
    expect(log.lines).toEqual([
      expect.stringMatching(`^warn: Node ${at(server)} cannot vote on "JOB_LOCKER_${name}": WRONGTYPE`),
      expect.stringMatching(`^log: Node ${at(server)} votes on "JOB_LOCKER_${name}" again`),
    ]);
  });

  it.skipIf(isEmbedded).each(['evalsha', 'set', 'pttl', 'time'])(
    'whose user may not call %s votes against, and names the command',
    async (command) => {
      await client.acl('SETUSER', 'limited', 'reset', 'on', '>secret', '~*', '+@all', `-${command}`);
      const node = connected({ port: server.port, username: 'limited', password: 'secret' });
      const tick = { ...claimOf(name, Date.now(), { recover: true }) };
      await client.set(tick.tick?.key ?? '', 'somebody (recover)', 'PX', TTL);
      await outcome(node.open());
      const wanted = command === 'set' ? claimOf(newName()) : tick;
      const message = await outcome(node.claim(wanted, 'a', TTL));
      expect(message).toContain(`Node ${at(server)}: `);
      expect(message.toLowerCase()).toContain(command);
      expect(message).not.toContain('secret');
    },
  );

  it.skipIf(isEmbedded)('whose user may not look it over votes all the same', async () => {
    const warnings = vi.spyOn(console, 'warn').mockImplementation(() => {});
    cleanUps.push(() => warnings.mockRestore());
    await client.acl('SETUSER', 'voter', 'reset', 'on', '>secret', '~*', '+@all', '-info');
    const node = connected({ port: server.port, username: 'voter', password: 'secret' });
    expect((await node.open()).warnings).toEqual([
      expect.stringMatching(/^could not be inspected .*NOPERM.*info/),
    ]);
    expect(await voteWithin(BUSY, node)).toEqual({ kind: 'granted' });
    expect(log.lines).toEqual([]);
  });

  it.each([
    '+OK',
    '*0',
    '$-1',
    '_',
    ':7',
    '$4\r\nmeow',
    '*1\r\n$7\r\ngranted',
    '*2\r\n$5\r\nearly\r\n$1\r\n5',
  ])('whose answers are no votes has an error of its own: %j', async (reply) => {
    const proxy = await TcpProxy.to(server.port);
    cleanUps.push(() => proxy.close());
    const node = await open(nodeAt(proxy, { nodeTimeout: 200 }));
    const [tick, plain] = [claimOf(name, Date.now()), claimOf(newName())];
    expect(await node.claim(plain, 'a', TTL)).toEqual({ kind: 'granted' });
    proxy.rewrite = (text) => (text === ':1\r\n' ? `${reply}\r\n` : text);
    const noVote = new RegExp(`^NodeUnreachableError: Node ${at(proxy)}: .*is not a valid reply$`);
    expect(await outcome(node.claim(tick, 'a', TTL))).toMatch(noVote);
    expect(await outcome(node.extend(plain, 'a', TTL))).toMatch(noVote);
    expect(await outcome(node.settle(tick, 'a'))).toMatch(noVote);
    proxy.rewrite = (text) => text;
    expect(log.lines).toEqual([expect.stringContaining('cannot vote: it answers a script with')]);
  });

  it.skipIf(isEmbedded)('that refuses the password is named, and the password is not', async () => {
    const guarded = await started();
    const owner = rawClient(guarded);
    cleanUps.push(() => owner.disconnect());
    await owner.config('SET', 'requirepass', 'right');
    const prints = (['log', 'warn', 'error'] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation(() => {}),
    );
    cleanUps.push(() => prints.forEach((print) => print.mockRestore()));
    const url = `redis://default:wr0ng-s3cret@127.0.0.1:${guarded.port}`;
    const node = nodeEntries(url)[0]?.create({ ...SETTINGS, isAlone: true });
    if (!node) throw new Error('no node');
    cleanUps.push(() => node.close());

    const messages = [await outcome(node.open()), await outcome(node.claim(claimOf(name), 'a', TTL))];
    for (const message of messages) {
      expect(message).toContain(`Redis at ${at(guarded)}: `);
      expect(message).toContain('WRONGPASS');
    }
    await pause(300);
    const said = [
      ...messages,
      ...log.lines,
      ...prints.flatMap((print) => print.mock.calls.flat().map(String)),
    ];
    expect(said.join('\n')).not.toContain('wr0ng-s3cret');
    expect(node.address).toBe(at(guarded));
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toContain('WRONGPASS');
  });

  it.skipIf(isEmbedded)('that may drop keys when it is full is worth a warning', async () => {
    const node = await open(nodeAt(server));
    cleanUps.push(async () => {
      await client.config('SET', 'maxmemory', 0);
      await client.config('SET', 'maxmemory-policy', 'noeviction');
    });
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect((await node.open()).warnings).toEqual([]);
    await client.config('SET', 'maxmemory', '1gb');
    expect((await node.open()).warnings.join()).toContain('allkeys-lru');
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    expect((await node.open()).warnings).toEqual([]);
  });

  it('tells who it is, and how far its clock is off', async () => {
    const report = await nodeReport();
    expect(report.identity).toBe(/run_id:(\w+)/.exec(await client.info('server'))?.[1]);
    expect(Math.abs(report.clockOffset!)).toBeLessThan(500);
    const real = Date.now;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() - 3_600_000);
    const ahead = await nodeReport();
    clock.mockRestore();
    expect(Math.abs(ahead.clockOffset! - 3_600_000)).toBeLessThan(500);
  });
});

describe('connections', () => {
  it('of our own have the name of the instance, and end with close()', async () => {
    const node = await open(nodeAt(server, { connectionName: 'app 1\nx' }));
    expect(await client.client('LIST')).toContain('name=app_1_x ');
    await node.close();
    await vi.waitFor(async () => expect(await client.client('LIST')).not.toContain('name=app_1_x '));
  });

  it('of our own that are being made can be waited for by many claims, without a warning of Node.js', async () => {
    const warnings = warningsOfNode();
    const node = closedLater(nodeAt(server));
    const claims = Array.from({ length: 20 }, (_, index) => node.claim(claimOf(newName()), `${index}`, TTL));
    expect(await Promise.all(claims)).toEqual(claims.map(() => ({ kind: 'granted' })));
    await pause(10);
    expect(warnings).toEqual([]);
  });

  it('of our own to a master that was demoted are replaced for many claims, without a warning of Node.js', async () => {
    const demoted = await RedisServer.start();
    cleanUps.push(() => demoted.stop());
    const node = await open(nodeAt(demoted));
    const raw = rawClient(demoted);
    cleanUps.push(() => raw.disconnect());
    await raw.replicaof('127.0.0.1', 1);
    const made = async (): Promise<number> =>
      Number(/total_connections_received:(\d+)/.exec(await raw.info('stats'))?.[1]);
    const before = await made();
    const warnings = warningsOfNode();
    const claims = Array.from({ length: 20 }, (_, index) => node.claim(claimOf(newName()), `${index}`, TTL));
    for (const claim of await Promise.all(claims.map(outcome))) expect(claim).toContain('READONLY');
    await vi.waitFor(async () => expect(await made()).toBeGreaterThan(before));
    expect(warnings).toEqual([]);
  });

  it('of our own to a master that was demoted are replaced until one leads to the new master', async () => {
    const demoted = await RedisServer.start();
    cleanUps.push(() => demoted.stop());
    const proxy = await TcpProxy.to(demoted.port);
    cleanUps.push(() => proxy.close());
    const node = await open(nodeAt(proxy));
    const raw = rawClient(demoted);
    cleanUps.push(() => raw.disconnect());
    const claim = claimOf(name);
    await client.set(claim.lock, 'a', 'PX', TTL);
    await raw.set(claim.lock, 'a', 'PX', TTL);
    await raw.replicaof('127.0.0.1', 1);
    expect(await outcome(node.release(claim, 'a'))).toContain('READONLY');
    await pause(300);
    proxy.target = server.port;
    await vi.waitFor(async () => expect(await client.exists(claim.lock)).toBe(0), 1500);
  });

  it.each([1, 2])(
    'of our own that are dropped in silence after %i replies of the handshake are replaced',
    async (replies) => {
      const proxy = await newProxy();
      let left = replies;
      proxy.rewrite = (text) => {
        const lines = text.split(/(?<=^[+:].*\r\n)/m);
        const passed = lines.slice(0, left);
        left -= passed.length;
        if (left > 0 || proxy.connections > 1) return text;
        proxy.forget();
        return passed.join('');
      };
      const node = closedLater(nodeAt(proxy, { nodeTimeout: 100 }));
      expect(await voteWithin(5000, node)).toEqual({ kind: 'granted' });
      expect(proxy.connections).toBe(2);
    },
  );

  it('of our own that never were made end with close() too', async () => {
    await nodeAt(server).close();
    // The server can list a connection of an earlier test for a moment after it has been closed.
    await expect.poll(() => client.client('LIST')).not.toContain('name=test ');
  });

  it('of the application stay open, as they were', async () => {
    const own = new Redis(server.port, '127.0.0.1', { lazyConnect: true });
    cleanUps.push(() => own.disconnect());
    const listeners = (): number[] => ['error', 'close', 'ready'].map((event) => own.listenerCount(event));
    const before = listeners();
    const node = await open(nodeOf(own));
    await node.claim(claimOf(name), 'a', TTL);
    await node.close();
    expect(own.status).toBe('wait');
    expect(await own.ping()).toBe('PONG');
    expect(listeners()).toEqual(before);
  });

  it('of the application may give every key a prefix', async () => {
    const own = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app:' });
    cleanUps.push(() => own.disconnect());
    const node = await open(nodeOf(own));
    expect(await node.claim(claimOf(name), 'a', TTL)).toEqual({ kind: 'granted' });
    expect(await client.get(`app:${claimOf(name).lock}`)).toBe('a');
  });

  it('of the application may have a prefix and a database, which are told of a key to delete', async () => {
    const own = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app:', db: 2 });
    cleanUps.push(() => own.disconnect());
    const node = await open(nodeOf(own));
    await own.hset(claimOf(name, 1).tick?.last ?? '', 'field', 'value');
    await outcome(node.claim(claimOf(name, 1), 'a', TTL));
    expect(log.lines).toEqual([
      expect.stringContaining(
        `. Its keys are "app:JOB_LOCKER_${name}", "app:{JOB_LOCKER_${name}}:last" in database 2: delete`,
      ),
    ]);
  });

  it('that are closed are nothing to log', async () => {
    const node = await open(nodeAt(server));
    await node.close();
    await pause(100);
    expect(log.lines).toEqual([]);
  });
});

/** The warnings that Node.js prints from now on. */
function warningsOfNode(): Error[] {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  cleanUps.push(() => process.off('warning', note));
  return warnings;
}

/** What became of a promise: `fulfilled`, or the text of its error. */
async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'fulfilled';
  } catch (error) {
    const kind = error instanceof NodeUnreachableError ? 'NodeUnreachableError' : 'Error';
    return `${kind}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function open(node: BoundedNode): Promise<BoundedNode> {
  await closedLater(node).open();
  return node;
}

/** A node that is closed after the test: otherwise, it says in a later one that it cannot connect. */
function closedLater(node: BoundedNode): BoundedNode {
  cleanUps.push(() => node.close());
  return node;
}

/** A node by other options than the address alone. */
function connected(options: { port: number; username: string; password: string }): BoundedNode {
  return closedLater(nodeOf({ host: '127.0.0.1', ...options }));
}

async function nodeReport() {
  const node = nodeAt(server);
  try {
    return await node.open();
  } finally {
    await node.close();
  }
}

async function started(args: string[] = []): Promise<RedisServer> {
  const other = await RedisServer.start({ args });
  cleanUps.push(() => other.stop());
  return other;
}

async function newProxy(): Promise<TcpProxy> {
  const proxy = await TcpProxy.to(server.port);
  cleanUps.push(() => proxy.close());
  return proxy;
}

/** Resolves once the node votes; rejects if it does not within so many milliseconds. */
async function voteWithin(milliseconds: number, node: BoundedNode): Promise<Vote> {
  const claim = claimOf(newName());
  return vi.waitFor(() => node.claim(claim, 'a', TTL), { timeout: milliseconds, interval: 20 });
}

/** How many scripts the server has been asked to run. */
async function scripts(): Promise<number> {
  const calls = await callsOf(client);
  return (calls.get('evalsha') ?? 0) + (calls.get('eval') ?? 0);
}

function at({ port }: { readonly port: number }): string {
  return `127.0.0.1:${port}`;
}
