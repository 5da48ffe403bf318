import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Cluster, Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Exclusive } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { nodeEntries } from '../../src/options/nodes-option.js';
import { portWithBus } from '../engine/cluster-port.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { Sentinel } from '../engine/sentinel.js';
import { byHand, fire, ONCE_A_YEAR, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServers } from '../module/redis.js';
import { LogSpy } from '../nodes/support.js';

const GUIDE = readFileSync('docs/redis-set-ups.md', 'utf8');
/** The command of the guide, as its arguments. */
const SETUSER = (/^redis-cli (ACL SETUSER .+)$/m.exec(GUIDE)?.[1] ?? '').replaceAll("'", '').split(' ');
/** What a node cannot vote without, by the table of the guide. */
const VOTES = ['evalsha', 'eval', 'get', 'set', 'del', 'incr', 'pexpire', 'pttl', 'time'];
/** What records need. */
const RECORDS = ['lpush', 'ltrim'];
/** What is needed for the rest, by the same table. */
const REST = ['lrange', 'pexpireat', 'zadd', 'zrem', 'zrangebyscore', 'hset', 'hdel', 'hexists', 'hvals'];
const NEEDED = [...VOTES, ...RECORDS, ...REST];

/** What the guide adds for a set-up, as arguments. */
const additional = (setUp: string): string[] => {
  const line = GUIDE.split('\n').find((text) => text.startsWith(`- ${setUp}`)) ?? '';
  return [...line.matchAll(/[+&][\w|+-]+/g)].map(([permission]) => permission);
};

/** The same without one of its permissions. */
const without = (command: string): string[] => SETUSER.filter((argument) => argument !== `+${command}`);

@Injectable()
class Jobs {
  runs = 0;

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report', { recover: true })
  report(): void {
    this.runs++;
  }
}

describe.skipIf(findEngine().kind === 'embedded')('the ACL user of docs/redis-set-ups.md', () => {
  const servers = useServers(3);
  let clients: Redis[];

  beforeEach(async () => {
    clients = servers.map((server) => clientOf(server));
    for (const client of clients) {
      await client.flushall();
      await client.call('ACL', 'LOG', 'RESET');
    }
  });
  afterEach(() => vi.restoreAllMocks());

  const allow = (rule: string[]): Promise<unknown> =>
    Promise.all(
      clients.map(async (client) => {
        await client.acl('DELUSER', 'jobs');
        await client.call('ACL', ...rule.slice(1));
      }),
    );
  const urls = (): string[] => servers.map(({ port }) => `redis://jobs:secret@127.0.0.1:${port}`);

  it('runs a job once over two instances, and nothing is refused', async () => {
    await allow(SETUSER);
    const logger = new RecordingLogger();
    const apps = await startFleet(2, { redlock: { nodes: urls() }, providers: [Jobs], logger });
    await Promise.all(apps.map((app) => fire(app, 'report')));
    expect(apps.map((app) => app.get(Jobs).runs).toSorted((a, b) => a - b)).toEqual([0, 1]);
    expect([...logger.at('warn'), ...logger.at('error')]).toEqual([]);
    expect(await Promise.all(clients.map((client) => client.call('ACL', 'LOG')))).toEqual([[], [], []]);
  });

  it('names all that a node needs, and no more than the guide explains', () => {
    const given = SETUSER.filter((argument) => argument.startsWith('+')).map((argument) => argument.slice(1));
    expect(given).toEqual([...NEEDED, 'info', 'hello', 'client|setname']);
  });

  it.each(VOTES)('cannot vote without %s, and is told what it needs', async (command) => {
    await allow(without(command));
    const log = new LogSpy();
    expect(await everyUse()).toContain(`its user needs ${NEEDED.join(', ')} on the keys of all jobs`);
    expect(log.lines.join('\n')).toMatch(/is unavailable: .*its user needs/);
    log.restore();
  });

  it.each(RECORDS)('settles a run without %s, and says what its record needs', async (command) => {
    await allow(without(command));
    const log = new LogSpy();
    expect(await everyUse()).toBe('');
    expect(log.lines).toEqual([
      expect.stringMatching(/settled a run of "\S+", but did not complete its record: .*its user needs/),
    ]);
    log.restore();
  });

  it.each(REST)('votes without %s, and says what it needs for the rest', async (command) => {
    await allow(without(command));
    const log = new LogSpy();
    expect(await everyUse()).toContain(`its user needs ${NEEDED.join(', ')} on the keys of all jobs`);
    expect(log.lines).toEqual([]);
    log.restore();
  });

  it('votes without info, with a warning', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    await allow(without('info'));
    const logger = new RecordingLogger();
    const apps = await startFleet(1, { redlock: { nodes: urls() }, providers: [Jobs], logger });
    expect(logger.at('warn').join('\n')).toMatch(/NOPERM.*info/);
    for (const app of apps) await fire(app, 'report');
    expect(apps.map((app) => app.get(Jobs).runs)).toEqual([1]);
  });

  it('votes without client|setname, and its name is missing', async () => {
    await allow(without('client|setname'));
    const logger = new RecordingLogger();
    const [app] = await startFleet(1, { redlock: { nodes: urls() }, providers: [Jobs], logger });
    await fire(app!, 'report');
    expect(app!.get(Jobs).runs).toBe(1);
    expect(logger.at('warn')).toEqual([]);
    expect(String(await clients[0]?.client('LIST'))).not.toContain('name=nestjs-exclusive');
  });

  it('uses another database with select, and is refused without it', async () => {
    await allow(SETUSER);
    const nodes = `${urls()[0]}/3`;
    await expect(startFleet(1, { redlock: { nodes } })).rejects.toThrow(/refuses database 3 \(NOPERM/);
    await allow([...SETUSER, '+select']);
    await startFleet(1, { redlock: { nodes } });
  });

  it('votes in a Cluster with the commands that the guide adds, and nothing is refused', async () => {
    const server = await RedisServer.start({
      port: await portWithBus(),
      args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    });
    onTestFinished(() => server.stop());
    const client = clientOf(server);
    await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
    await vi.waitFor(async () => expect(await client.cluster('INFO')).toContain('cluster_state:ok'), 10_000);
    await client.call('ACL', ...SETUSER.slice(1), ...additional('a Cluster'));
    const cluster = new Cluster([{ host: '127.0.0.1', port: server.port }], {
      lazyConnect: true,
      redisOptions: { username: 'jobs', password: 'secret' },
    });
    const [app] = await startFleet(1, { redlock: { nodes: cluster }, providers: [Jobs] });
    await fire(app!, 'report');
    expect(app!.get(Jobs).runs).toBe(1);
    expect(await client.call('ACL', 'LOG')).toEqual([]);
  });

  it('votes in a Sentinel group whose Sentinels and servers have users of their own', async () => {
    await allow([...SETUSER, '+select']);
    const sentinel = await Sentinel.watching(
      servers[0]!,
      `user watcher on >hidden ${additional('Sentinel').join(' ')}`,
    );
    onTestFinished(() => sentinel.stop());
    const [app] = await startFleet(1, {
      redlock: {
        nodes: {
          sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
          name: 'jobs',
          sentinelUsername: 'watcher',
          sentinelPassword: 'hidden',
          username: 'jobs',
          password: 'secret',
          db: 2,
        },
      },
      providers: [Jobs],
    });
    await fire(app!, 'report');
    expect(app!.get(Jobs).runs).toBe(1);
    const two = clientOf(servers[0]!, { db: 2 });
    expect(await two.exists('{JOB_LOCKER_report}:last')).toBe(1);
    expect(await clients[0]?.call('ACL', 'LOG')).toEqual([]);
    expect(await sentinel.client.call('ACL', 'LOG')).toEqual([]);
  });

  /** Does all that a node is ever asked for; the errors of it as one text. */
  async function everyUse(): Promise<string> {
    const settings = { nodeTimeout: 1000, connectionName: 'test', isAlone: true };
    const node = nodeEntries(urls()[0])[0]?.create(settings);
    const keys = new JobKeys('JOB_LOCKER', '{tenant}:report');
    const at = Date.now();
    const claim = {
      lock: keys.lock,
      tick: { key: keys.tick(at), last: keys.last, at, keep: 60_000, recover: true },
      every: { key: keys.every, keep: 5000 },
      loserCounter: { key: keys.losers(at), keep: 10_000 },
      pause: keys.pause,
      history: { begun: keys.begun, records: keys.records, limit: 3, keep: 60_000 },
    };
    const names = {
      lock: keys.lock,
      last: keys.last,
      begun: keys.begun,
      records: keys.records,
      pause: keys.pause,
    };
    const errors: string[] = [];
    const attempt = (answer: Promise<unknown> | undefined): Promise<unknown> =>
      (answer ?? Promise.reject(new Error('no node'))).catch((error: Error) => errors.push(error.message));
    await attempt(node?.open());
    await attempt(node?.claim({ lock: keys.lock }, 'a', 5000));
    await attempt(node?.release({ lock: keys.lock }, 'a'));
    await attempt(node?.claim(claim, 'a', 5000));
    await attempt(node?.claim(claim, 'b', 5000));
    await attempt(node?.extend(claim, 'a', 5000));
    await attempt(node?.settle(claim, 'a', 'record'));
    await attempt(node?.look(names, 3));
    await attempt(node?.pause(keys.pause, { isPaused: true, version: 1, detail: '', until: at + 60_000 }));
    await attempt(node?.register(keys.fleet, 'one', 20, 'card'));
    await attempt(node?.register(keys.fleet, 'two', 60_000, 'card'));
    await pause(50);
    await attempt(node?.registered(keys.fleet));
    await attempt(node?.release(claim, 'a'));
    await node?.close();
    return errors.join('\n');
  }
});

const on = (port: number): string => `redis://jobs:secret@127.0.0.1:${port}`;

/** The embedded engine has `CLIENT SETINFO`, as Redis has from 7.2 on. */
async function withUser(...permissions: string[]): Promise<RedisServer> {
  vi.stubEnv('REDIS_ENGINE', 'embedded');
  const server = await RedisServer.start().finally(() => vi.unstubAllEnvs());
  onTestFinished(() => server.stop());
  await clientOf(server).call('ACL', ...SETUSER.slice(1), ...permissions);
  return server;
}

describe('a Valkey server', () => {
  it('has nothing to refuse to the user of the guide', async () => {
    const server = await withUser();
    const client = new Redis(on(server.port), { lazyConnect: true });
    for (const nodes of [on(server.port), client]) {
      const [app] = await startFleet(1, { redlock: { nodes }, providers: [Jobs] });
      await fire(app!, 'report');
    }
    expect(await clientOf(server).call('ACL', 'LOG')).toEqual([]);
  });

  it('learns the clientInfoTag if its user may tell it', async () => {
    const server = await withUser(...additional('`clientInfoTag`'));
    await startFleet(1, { redlock: { nodes: `${on(server.port)}?clientInfoTag=shop` } });
    expect(String(await clientOf(server).client('LIST'))).toContain('lib-name=ioredis(shop)');
    expect(await clientOf(server).call('ACL', 'LOG')).toEqual([]);
  });
});
