import { readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Exclusive } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { createNodes } from '../../src/nodes/create-nodes.js';
import { findEngine } from '../engine/redis-server.js';
import { byHand, fire, ONCE_A_YEAR, startFleet } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServers } from '../module/redis.js';
import { LogSpy } from '../nodes/support.js';

const GUIDE = readFileSync('docs/redis-set-ups.md', 'utf8');
/** The command of the guide, as its arguments. */
const SETUSER = (/^redis-cli (ACL SETUSER .+)$/m.exec(GUIDE)?.[1] ?? '').replaceAll("'", '').split(' ');
/** What a node cannot vote without, by the table of the guide. */
const NEEDED = ['evalsha', 'eval', 'get', 'set', 'del', 'incr', 'pexpire', 'pttl', 'time'];

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

  it.each(NEEDED)('cannot vote without %s, and is told what it needs', async (command) => {
    await allow(without(command));
    const log = new LogSpy();
    expect(await everyUse()).toContain(`its user needs ${NEEDED.join(', ')} on the keys of all jobs`);
    expect(log.lines.join('\n')).toMatch(/cannot vote: .*its user needs/);
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

  /** Does all that a node is ever asked for; the errors of it as one text. */
  async function everyUse(): Promise<string> {
    const [node] = createNodes(urls().slice(0, 1), { nodeTimeout: 1000, connectionName: 'test' });
    const keys = new JobKeys('JOB_LOCKER', '{tenant}:report');
    const at = Date.now();
    const claim = {
      lock: keys.lock,
      tick: { key: keys.tick(at), last: keys.last, at, keep: 60_000, recover: true },
      every: { key: keys.every, keep: 5000 },
      loserCounter: { key: keys.late(at), keep: 10_000 },
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
    await attempt(node?.settle(claim, 'a'));
    await attempt(node?.release(claim, 'a'));
    await node?.close();
    return errors.join('\n');
  }
});
