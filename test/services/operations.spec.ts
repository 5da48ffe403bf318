import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import slotOf from 'cluster-key-slot';
import { describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { byHand, close, fire, newYear, ONCE_A_YEAR, start, startFleet } from '../module/application.js';
import { clientOf, keysOfJobs, useServer, useServers } from '../module/redis.js';
import { Gate } from './gate.js';

const gate = new Gate();

@Injectable()
class Jobs {
  static runs: string[] = [];

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<string> {
    Jobs.runs.push('report');
    await gate.until;
    return 'sent';
  }

  @Exclusive((tenant: string) => `tenant:${tenant}`)
  async tenant(tenant: string, pages: number): Promise<string> {
    Jobs.runs.push(`${tenant} ${pages}`);
    return tenant;
  }
}

const server = useServer();
const parts = () => ({ redlock: { nodes: server.it.url }, providers: [Jobs] });

describe('a job is triggered', () => {
  it('on any instance, once over the fleet, and kept apart from a run in progress', async () => {
    const client = clientOf(server.it);
    await client.flushall();
    Jobs.runs = [];
    const [one, two] = (await startFleet(2, parts())).map((app) => app.get(RedlockService));
    gate.close();
    const first = one!.trigger('report');
    await expect.poll(() => Jobs.runs).toEqual(['report']);
    expect(await two!.trigger('report')).toEqual({ ran: false, reason: 'overlap' });
    gate.open();
    expect(await first).toEqual({ ran: true, value: 'sent' });
    await two!.pause('report');
    expect(await two!.trigger('report')).toEqual({ ran: true, value: 'sent' });
    await one!.resume('report');
    const history = await one!.history('report');
    expect(history.map(({ trigger, tick, outcome }) => [trigger, tick, outcome])).toEqual([
      ['manual', null, 'finished'],
      ['manual', null, 'finished'],
    ]);
  });

  it('with the arguments on which its name depends', async () => {
    Jobs.runs = [];
    const service = (await start(parts())).get(RedlockService);
    expect(await service.trigger('tenant:a', 'a', 3)).toEqual({ ran: true, value: 'a' });
    expect(Jobs.runs).toEqual(['a 3']);
    await expect(service.trigger('tenant:a')).rejects.toThrow(InvalidOptionError);
    await expect(service.trigger('nobody')).rejects.toThrow(/declares with @Exclusive/);
  });
});

const fail = (): Promise<never> =>
  Promise.reject(new Error('cannot reach redis://worker:s3cret@db:6379\nat line 2'));

describe('a run record', () => {
  it('is small, whatever a job throws and whatever its instance is called', async () => {
    const client = clientOf(server.it);
    await client.flushall();
    const long = 'x'.repeat(300);
    const app = await start({ ...parts(), redlock: { nodes: server.it.url, instanceId: long } });
    const service = app.get(RedlockService);
    const name = `雪${'n'.repeat(1_000_000)}`;
    for (let run = 0; run < 60; run++) {
      const thrown = new Error(`\u0001${'\u0001'.repeat(1_000_000)}`);
      await service.run('big', () => Promise.reject(thrown)).catch(() => {});
    }
    expect(await client.llen('{JOB_LOCKER_big}:runs')).toBe(50);
    for (const record of await client.lrange('{JOB_LOCKER_big}:runs', 0, -1)) {
      expect(Buffer.byteLength(record)).toBeLessThan(2500);
    }
    await service.run(name, () => 1);
    const [record] = await client.lrange(new JobKeys('JOB_LOCKER', name).records, 0, -1);
    expect(Buffer.byteLength(record ?? '')).toBeLessThan(1000);
    await expect(
      start({ ...parts(), redlock: { nodes: server.it.url, instanceId: `${long}x` } }),
    ).rejects.toThrow(/instanceId must not be longer than 300 characters/);
  });

  it('has the error without credentials, and none with recordErrors: false', async () => {
    const client = clientOf(server.it);
    await client.flushall();
    const telling = (await start(parts())).get(RedlockService);
    await telling.run('told', fail).catch(() => {});
    const [told] = await telling.history('told');
    expect(told).toMatchObject({
      outcome: 'failed',
      error: expect.stringMatching(/^Error: cannot reach/) as unknown,
    });
    const silent = (await start({ ...parts(), redlock: { nodes: server.it.url, recordErrors: false } })).get(
      RedlockService,
    );
    await silent.run('untold', fail).catch(() => {});
    expect(await silent.history('untold')).toMatchObject([{ outcome: 'failed', error: null }]);
    const stored = await Promise.all(
      ['told', 'untold'].map((name) => client.lrange(`{JOB_LOCKER_${name}}:runs`, 0, -1)),
    );
    expect(stored.flat()).toHaveLength(2);
    expect(stored.join(' ')).not.toContain('s3cret');
  });

  it('is not there with history: 0, and neither is any key of it', async () => {
    const client = clientOf(server.it);
    await client.flushall();
    const app = await start({ ...parts(), redlock: { nodes: server.it.url, history: 0 } });
    await app.get(RedlockService).run('quiet', () => 1);
    expect(await keysOfJobs(client)).toEqual([]);
    expect(await app.get(RedlockService).history('quiet')).toEqual([]);
  });
});

describe('the keys of a job', () => {
  it.each(['report', 'a}', '}{', '{tenant-1}:report', 'report {x}'])('are in one slot: %s', (name) => {
    const keys = new JobKeys('JOB_LOCKER', name);
    const all = [keys.lock, keys.begun, keys.records, keys.pause, keys.last, keys.overdue(1), keys.tick(1)];
    expect(new Set(all.map((key) => slotOf(key))).size).toBe(1);
    expect(new Set(all).size).toBe(all.length);
  });

  it('of the register are in one slot', () => {
    const { ends, entries } = new JobKeys('JOB_LOCKER', '').fleet;
    expect(slotOf(ends)).toBe(slotOf(entries));
  });
});

describe('an instance', () => {
  it('that comes back under the same name has its own card', async () => {
    await clientOf(server.it).flushall();
    const named = { ...parts(), redlock: { nodes: server.it.url, instanceId: 'worker-1' } };
    const first = await start(named);
    const service = first.get(RedlockService);
    await expect.poll(async () => (await service.fleet()).length).toBe(1);
    const [before] = await service.fleet();
    await close(first);
    const second = (await start(named)).get(RedlockService);
    await expect
      .poll(async () => (await second.fleet()).at(-1)?.startedAt.getTime())
      .toBeGreaterThan(before?.startedAt.getTime() ?? 0);
  });
});

const five = useServers(5);

describe('with five nodes, two of which are down', () => {
  it('history, status, pause and trigger work, and records are merged', { timeout: 60_000 }, async () => {
    const nodes = five.map(({ url }) => url);
    const [one, two] = await startFleet(2, { redlock: { nodes }, providers: [Jobs] });
    const [a, b] = [one!.get(RedlockService), two!.get(RedlockService)];
    await fire(one!, 'report');
    five[0]!.pause();
    five[3]!.pause();
    try {
      expect(await a.trigger('report')).toMatchObject({ ran: true });
      await b.pause('report', { note: 'migration' });
      expect(await a.status('report')).toMatchObject({
        lastTick: newYear(),
        lastOutcome: 'finished',
        running: null,
        paused: { note: 'migration' },
      });
    } finally {
      five[0]!.resume();
      five[3]!.resume();
    }
    five[1]!.pause();
    five[4]!.pause();
    try {
      // One of those that know of the pause, and two that may not.
      expect((await b.status('report')).paused).toMatchObject({ note: 'migration' });
      expect((await b.history('report')).map(({ trigger }) => trigger)).toEqual(['manual', 'schedule']);
      const health = await b.health();
      expect(health.quorum).toBe(true);
      expect(health.nodes.map(({ votes }) => votes)).toEqual([true, false, true, true, false]);
    } finally {
      five[1]!.resume();
      five[4]!.resume();
    }
    await pause(100);
  });
});
