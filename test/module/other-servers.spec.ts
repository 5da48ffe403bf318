import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { byHand, close, fire, ONCE_A_YEAR, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf } from './redis.js';

afterEach(() => void vi.restoreAllMocks());

@Injectable()
class Jobs {
  runs = 0;

  @Cron(ONCE_A_YEAR, byHand('quiet'))
  @Exclusive('quiet')
  async quiet(): Promise<void> {
    this.runs++;
  }
}

async function started(...args: string[]): Promise<RedisServer> {
  const server = await RedisServer.start({ args });
  onTestFinished(() => server.stop());
  return server;
}

/** What an operator reads at the levels log, warn and error, less what is said at each start and end. */
function told(logger: RecordingLogger): string[] {
  return logger.lines
    .filter(({ level }) => ['log', 'warn', 'error'].includes(level))
    .filter(({ text }) => text.includes('RedlockModule') && !text.includes('dependencies'))
    .filter(({ text }) => !text.startsWith('Guarding '))
    .map(({ level, text }) => `${level}: ${text}`);
}

describe.skipIf(findEngine().kind === 'embedded')('a server', () => {
  it.each([
    ['by URL', (url: string) => url],
    ['by options', (url: string) => ({ host: '127.0.0.1', port: Number(new URL(url).port) })],
    [
      'by options without a ready check',
      (url: string) => ({ host: '127.0.0.1', port: Number(new URL(url).port), enableReadyCheck: false }),
    ],
  ])('without INFO votes, and the log says what was not looked at: %s', async (_how, nodeOf) => {
    const server = await started('--rename-command', 'INFO', '');
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: nodeOf(server.url) }, providers: [Jobs], logger });
    await fire(app, 'quiet');
    expect(app.get(Jobs).runs).toBe(1);
    expect(told(logger)).toEqual([
      expect.stringMatching(/^warn: Redis at \S+ could not be inspected \(INFO: ERR unknown command/),
    ]);
  });

  it('whose user may not call INFO votes, and the log says what was not looked at', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    const server = await started();
    await clientOf(server).acl('SETUSER', 'default', '-info');
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.url }, providers: [Jobs], logger });
    await fire(app, 'quiet');
    expect(app.get(Jobs).runs).toBe(1);
    expect(told(logger)).toEqual([expect.stringMatching(/could not be inspected \(INFO: NOPERM/)]);
  });

  it('that closes idle connections is no trouble', async () => {
    const server = await started('--timeout', '1', '--hz', '100');
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.url }, providers: [Jobs], logger });
    const client = clientOf(server, { retryStrategy: () => 10 });
    const connections = async (): Promise<number> =>
      Number(/total_connections_received:(\d+)/.exec(await client.info('stats'))?.[1]);
    const before = await connections();
    await pause(3000);
    expect(await connections()).toBeGreaterThan(before);
    await fire(app, 'quiet');
    expect(app.get(Jobs).runs).toBe(1);
    expect(told(logger)).toEqual([]);
  });

  it('that is demoted is told of once, and once more when it is a master again', async () => {
    const server = await started();
    const client = clientOf(server);
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.url }, logger });
    const redlock = app.get(RedlockService);
    await client.replicaof('127.0.0.1', 1);
    for (let call = 0; call < 5; call++) {
      expect(await redlock.run('report', () => 1)).toMatchObject({ ran: false, reason: 'store-down' });
      await pause(200);
    }
    await client.call('REPLICAOF', 'NO', 'ONE');
    await vi.waitFor(async () => expect((await redlock.run('report', () => 1)).ran).toBe(true), 5000);
    expect(told(logger)).toEqual([
      expect.stringMatching(/^warn: Redis at \S+ is unavailable: .*READONLY/),
      expect.stringMatching(/^warn: No lock can be acquired/),
      expect.stringMatching(/^warn: "report" was not run by this instance/),
      expect.stringMatching(/^log: Redis at \S+ is available again/),
      expect.stringMatching(/^log: Locks can be acquired again/),
    ]);
    await close(app);
  });

  const REFUSALS: [what: string, refuse: (server: RedisServer) => Promise<unknown>, why: RegExp][] = [
    ['has a key of another type', (server) => clientOf(server).hset('JOB_LOCKER_bad', 'a', 'b'), /WRONGTYPE/],
    [
      'may not use its keys',
      (server) => clientOf(server).acl('SETUSER', 'default', 'resetkeys', '~*JOB_LOCKER_good*'),
      /NOPERM/,
    ],
  ];
  it.each(REFUSALS)(
    'that refuses one job, which %s, votes on the others, and says so once',
    async (_what, refuse, why) => {
      const server = await started();
      await refuse(server);
      const logger = new RecordingLogger();
      const app = await start({ redlock: { nodes: server.url }, logger });
      const redlock = app.get(RedlockService);
      for (let round = 0; round < 4; round++) {
        expect(await redlock.run('bad', () => 1, { every: '1s' })).toMatchObject({
          ran: false,
          reason: 'store-down',
        });
        expect((await redlock.run('good', () => 1)).ran).toBe(true);
      }
      expect(told(logger)).toEqual([
        expect.stringMatching(/^warn: Redis at \S+ cannot grant the lock of "bad": /),
        expect.stringMatching(/^warn: "bad" was not run by this instance: its lock could not be acquired/),
      ]);
      for (const line of told(logger)) expect(line).toMatch(why);
    },
  );

  /** Lets one of three servers refuse to write, and says how to put it right. */
  const REFUSE_WRITES: [
    what: string,
    refuse: (server: RedisServer) => Promise<unknown>,
    allow: (server: RedisServer) => Promise<unknown>,
  ][] = [
    [
      'is demoted',
      (server) => clientOf(server).replicaof('127.0.0.1', 1),
      (server) => clientOf(server).call('REPLICAOF', 'NO', 'ONE'),
    ],
    [
      'is out of memory',
      (server) => clientOf(server).config('SET', 'maxmemory', 1),
      (server) => clientOf(server).config('SET', 'maxmemory', 0),
    ],
  ];
  it.each(REFUSE_WRITES)(
    'that %s among three is told of once, whatever else it answers',
    async (_what, refuse, allow) => {
      const servers = await Promise.all([started(), started(), started()]);
      const logger = new RecordingLogger();
      const app = await start({ redlock: { nodes: servers.map(({ url }) => url) }, logger });
      const redlock = app.get(RedlockService);
      const held = await redlock.lock('held');
      await refuse(servers[1]);
      for (let call = 0; call < 5; call++) {
        expect((await redlock.run('report', () => 1)).ran).toBe(true);
        expect((await redlock.run('held', () => 1)).ran).toBe(false);
        expect((await redlock.run(`hourly ${call}`, () => 1, { every: '1h' })).ran).toBe(true);
        expect((await redlock.run(`hourly ${call}`, () => 1, { every: '1h' })).ran).toBe(false);
      }
      await allow(servers[1]);
      await vi.waitFor(async () => {
        await redlock.run('report', () => 1);
        expect(told(logger)).toEqual([
          expect.stringMatching(/^warn: Node \S+ cannot vote: /),
          expect.stringMatching(/^log: Node \S+ votes again/),
        ]);
      }, 5000);
      await held?.release();
    },
  );

  it('that runs no scripts is told of at start', async () => {
    const server = await started('--rename-command', 'EVAL', '');
    const logger = new RecordingLogger();
    await start({ redlock: { nodes: server.url }, logger });
    expect(told(logger)).toEqual([
      expect.stringMatching(
        /^warn: Redis at \S+ refuses scripts, without which it grants no ticks and releases no locks \(EVAL: ERR unknown command/,
      ),
    ]);
  });

  it('that refuses one job whose runs may overlap says so once', async () => {
    const server = await started();
    await clientOf(server).acl('SETUSER', 'default', 'resetkeys', '~*JOB_LOCKER_good*');
    const logger = new RecordingLogger();
    const redlock = (await start({ redlock: { nodes: server.url }, logger })).get(RedlockService);
    for (let round = 0; round < 4; round++) {
      await redlock.run('bad', () => 1, { overlap: 'allow', every: '1s' });
      await redlock.run('good', () => 1);
    }
    expect(told(logger)).toEqual([
      expect.stringMatching(/cannot grant the lock of "bad": NOPERM/),
      expect.stringMatching(/^warn: "bad" was not run/),
    ]);
  });

  it('that refuses the interval of a job, and grants its lock, says so once', async () => {
    const server = await started();
    await clientOf(server).hset('{JOB_LOCKER_job}:every', 'a', 'b');
    const logger = new RecordingLogger();
    const redlock = (await start({ redlock: { nodes: server.url }, logger })).get(RedlockService);
    for (let round = 0; round < 4; round++) {
      expect((await redlock.run('job', () => 1, { every: '1s' })).ran).toBe(false);
      expect((await redlock.run('job', () => 1)).ran).toBe(true);
    }
    expect(told(logger)).toEqual([
      expect.stringMatching(/cannot grant the lock of "job": WRONGTYPE.*"\{JOB_LOCKER_job\}:every": delete/),
      expect.stringMatching(/^warn: "job" was not run/),
    ]);
  });

  it('whose records something else has written runs each tick once nevertheless', async () => {
    const server = await started();
    const client = clientOf(server);
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: server.url }, providers: [Jobs], logger });
    await client.set('{JOB_LOCKER_quiet}:runs', 'mine');
    // As though a run had died.
    await client.set('{JOB_LOCKER_quiet}:begun', 'a#b/0/c/d/e');
    await fire(app, 'quiet');
    await fire(app, 'quiet');
    expect(app.get(Jobs).runs).toBe(1);
    expect(await client.exists('{JOB_LOCKER_quiet}:last')).toBe(1);
    expect(await client.exists('JOB_LOCKER_quiet')).toBe(0);
    expect(told(logger).join('\n')).toMatch(/WRONGTYPE/);
    await client.del('{JOB_LOCKER_quiet}:runs');
    await client.lpush('{JOB_LOCKER_quiet}:begun', 'mine');
    expect((await app.get(RedlockService).run('quiet', () => 1)).ran).toBe(false);
    expect(await client.exists('JOB_LOCKER_quiet')).toBe(0);
  });

  it('that refuses the keys of many jobs names some of them, and grants the others', async () => {
    const server = await started();
    await clientOf(server).acl('SETUSER', 'default', 'resetkeys', '~*JOB_LOCKER_other*');
    const logger = new RecordingLogger();
    const redlock = (await start({ redlock: { nodes: server.url }, logger })).get(RedlockService);
    for (let job = 0; job < 24; job++) {
      await redlock.run(`job ${job}`, () => 1, { every: '1s' });
      expect((await redlock.run('other', () => 1)).ran).toBe(true);
    }
    expect(told(logger).filter((line) => line.includes('cannot grant the lock of "'))).toHaveLength(20);
    expect(told(logger).filter((line) => line.includes('cannot grant the locks of other jobs'))).toHaveLength(
      1,
    );
    expect(told(logger).filter((line) => /unavailable: |available again/.test(line))).toEqual([]);
  });

  it('that refuses the database at a later connection grants nothing in another one', async () => {
    const server = await started();
    const client = clientOf(server);
    await client.acl('SETUSER', 'worker', 'on', '>secret', '~*', '+@all');
    const logger = new RecordingLogger();
    const nodes = server.url.replace('//', '//worker:secret@');
    const redlock = (await start({ redlock: { nodes: `${nodes}/3` }, logger })).get(RedlockService);
    await client.acl('SETUSER', 'worker', '-select');
    await client.call('CLIENT', 'KILL', 'USER', 'worker');
    await pause(500);
    expect(await redlock.run('report', () => 1)).toMatchObject({ ran: false, reason: 'store-down' });
    expect(await client.dbsize()).toBe(0);
  });

  it('whose user may not write the register of instances votes nevertheless, and health() says why it is not well', async () => {
    const server = await started();
    const client = clientOf(server);
    await client.acl('SETUSER', 'worker', 'on', '>secret', '~*', '+@all', '-zadd');
    const logger = new RecordingLogger();
    const nodes = server.url.replace('//', '//worker:secret@');
    const redlock = (await start({ redlock: { nodes }, logger })).get(RedlockService);
    for (let round = 0; round < 3; round++) {
      const { nodes: health } = await redlock.health();
      expect(health).toMatchObject([{ votes: false, trouble: expect.stringContaining('zadd') }]);
      expect(await redlock.run('report', () => 1)).toMatchObject({ ran: true });
    }
    expect(told(logger)).toEqual([]);
  });

  it.each([
    ['no key', '~other:*', '+@all'],
    ['no script', '~*', '+@all', '-evalsha'],
  ])('whose user may use %s does not vote, says health()', async (_what, ...rules) => {
    const server = await started();
    await clientOf(server).acl('SETUSER', 'worker', 'on', '>secret', ...rules);
    const nodes = server.url.replace('//', '//worker:secret@');
    const redlock = (await start({ redlock: { nodes } })).get(RedlockService);
    expect(await redlock.run('report', () => 1)).toMatchObject({ ran: false, reason: 'store-down' });
    expect(await redlock.health()).toMatchObject({ quorum: false, nodes: [{ votes: false }] });
  });

  it('that had no memory for a moment is found to vote again, by an instance that only loses', async () => {
    const server = await started();
    const client = clientOf(server);
    const logger = new RecordingLogger();
    const redlock = (await start({ redlock: { nodes: server.url }, logger })).get(RedlockService);
    const held = await redlock.lock('held');
    await client.config('SET', 'maxmemory', 1);
    expect(await redlock.run('report', () => 1)).toMatchObject({ ran: false, reason: 'store-down' });
    await client.config('SET', 'maxmemory', 0);
    // This instance only loses from now on.
    expect(await redlock.run('held', () => 1)).toMatchObject({ ran: false, reason: 'overlap' });
    // The answer to a loser needs no memory. The instance renews its entry in the register, which does.
    await expect
      .poll(() => told(logger).at(-1), { timeout: 15_000 })
      .toMatch(/^log: Redis at \S+ is available again/);
    await held?.release();
  });
});
