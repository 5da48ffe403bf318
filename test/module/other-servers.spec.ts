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
      expect.stringMatching(/^warn: Node \S+ votes, but cannot be looked over: ERR unknown command/),
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
    expect(told(logger)).toEqual([expect.stringMatching(/votes, but cannot be looked over: NOPERM/)]);
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
      expect.stringMatching(/^warn: Node \S+ cannot vote: .*READONLY/),
      expect.stringMatching(/^warn: No quorum/),
      expect.stringMatching(/^warn: "report" was not run by this instance/),
      expect.stringMatching(/^log: Node \S+ votes again/),
      expect.stringMatching(/^log: A quorum of the nodes votes again/),
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
        expect.stringMatching(/^warn: Node \S+ cannot vote on "JOB_LOCKER_bad": /),
        expect.stringMatching(
          /^warn: "bad" was not run by this instance: no quorum of the nodes votes on it/,
        ),
      ]);
      for (const line of told(logger)) expect(line).toMatch(why);
    },
  );
});
