import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Exclusive, RedlockService, type SkipReason } from '../../src/index.js';
import { RedisServer } from '../engine/redis-server.js';
import { TcpProxy } from '../nodes/tcp-proxy.js';
import { fire, ONCE_A_YEAR, start, startFleet } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { useServer } from './redis.js';

const server = useServer();

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}

/** Their ticks come due every second, but only the test fires them. */
const EVERY_SECOND = '* * * * * *';
const onlyByHand = (name: string) => ({ name, disabled: true, waitForCompletion: true });

@Injectable()
class Jobs {
  readonly runs: string[] = [];

  @Cron(EVERY_SECOND, onlyByHand('skip')) @Exclusive('skip') skip(): void {
    this.runs.push('skip');
  }

  @Cron(EVERY_SECOND, onlyByHand('run')) @Exclusive('run', { onStoreDown: 'run' }) run(): void {
    this.runs.push('run');
  }

  @Cron(EVERY_SECOND, onlyByHand('throw')) @Exclusive('throw', { onStoreDown: 'throw' }) throw(): void {
    this.runs.push('throw');
  }
}

describe('a node that answers everything, but later than nodeTimeout', () => {
  it('is overloaded and not down: no job runs unguarded, nothing throws, and the log names the job', async () => {
    const proxy = await TcpProxy.to(server.it.port);
    onTestFinished(() => proxy.close());
    const logger = new RecordingLogger();
    const nodes = `redis://127.0.0.1:${proxy.port}`;
    const app = await start({ redlock: { nodes, nodeTimeout: '300ms' }, providers: [Jobs], logger });
    const skipped: string[] = [];
    const redlock = app.get(RedlockService);
    redlock.on('skipped', ({ name, reason }) => skipped.push(`${name}: ${reason}`));

    // Other claims, whose answers keep coming.
    let others = 0;
    const traffic = setInterval(() => void redlock.lock(`other ${others++}`), 20);
    onTestFinished(() => clearInterval(traffic));
    proxy.delay = 100;
    await pause(500);
    proxy.delay = 200;
    await pause(500);
    await Promise.all(['skip', 'run', 'throw'].map((job) => fire(app, job)));
    proxy.delay = 0;

    expect(app.get(Jobs).runs).toEqual([]);
    expect(skipped.toSorted()).toEqual(['run: overload', 'skip: overload', 'throw: overload']);
    const lines = [...logger.at('warn'), ...logger.at('error')];
    expect(lines.filter((line) => line.includes('No lock can be acquired'))).toEqual([]);
    for (const job of ['skip', 'run', 'throw']) {
      expect(lines.filter((line) => line.includes(`of "${job}" was not run`))).toHaveLength(1);
    }
  });
});

/** One call of `run` for each of `count` jobs, all in one turn of the event loop. */
function runAll(redlock: RedlockService, count: number, ran: number[]): Promise<(SkipReason | 'ran')[]> {
  // The tick is the same whenever the test runs.
  const job = new CronJob(ONCE_A_YEAR, () => {});
  const calls = Array.from({ length: count }, async (_, index) => {
    const outcome = await redlock.run(`job ${index}`, () => ran.push(index), { job });
    return outcome.ran ? 'ran' : outcome.reason;
  });
  return Promise.all(calls);
}

const prefixed = (keyPrefix: string) => ({ nodes: server.it.url, keyPrefix });

describe('many jobs at the same moment', () => {
  it('all run in one instance, 2,000 of them', async () => {
    const app = await start({ redlock: prefixed('ALONE') });
    const ran: number[] = [];
    expect(new Set(await runAll(app.get(RedlockService), 2000, ran))).toEqual(new Set(['ran']));
    expect(ran).toHaveLength(2000);
  });

  it('each run once in ten instances, 300 of them, and nobody takes the node for down', async () => {
    const fleet = await startFleet(10, { redlock: prefixed('FLEET') });
    const ran: number[] = [];
    const outcomes = await Promise.all(fleet.map((app) => runAll(app.get(RedlockService), 300, ran)));
    expect(ran.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index));
    expect([...new Set(outcomes.flat())].toSorted()).toEqual(expect.not.arrayContaining(['store-down']));
  });

  it('give up in bounded time when the node hangs, with one warning for it and one for the quorum', async () => {
    const own = await RedisServer.start();
    onTestFinished(() => own.stop());
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: own.url }, logger });
    const ran: number[] = [];
    await runAll(app.get(RedlockService), 1, ran);

    own.pause();
    const begin = performance.now();
    const outcomes = await runAll(app.get(RedlockService), 2000, []);
    expect(performance.now() - begin).toBeLessThan(5000);
    expect(new Set(outcomes.slice(1))).toEqual(new Set(['store-down']));
    const warnings = (): string[] => logger.at('warn').filter((line) => !line.includes('not run'));
    await expect.poll(() => warnings().filter((line) => line.includes('is unavailable'))).toHaveLength(1);
    expect(warnings().filter((line) => line.includes('No lock can be acquired'))).toHaveLength(1);
    expect(warnings()).toHaveLength(2);

    // What was in flight is too late for the server, and nothing else was sent.
    own.resume();
    await pause(500);
    expect(await runAll(app.get(RedlockService), 2000, ran)).toContain('ran');
    expect(ran).toHaveLength(2000);
  });

  it('leave no memory behind when the node has hung', async () => {
    const own = await RedisServer.start();
    onTestFinished(() => own.stop());
    const app = await start({ redlock: { nodes: own.url } });
    const redlock = app.get(RedlockService);
    await runAll(redlock, 2000, []);

    const afterOutage = async (): Promise<number> => {
      own.pause();
      expect(await runAll(redlock, 2000, [])).toContain('store-down');
      own.resume();
      await pause(500);
      expect(new Set(await runAll(redlock, 2000, []))).toEqual(new Set(['settled']));
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    // The first one compiles code, and fills caches.
    await afterOutage();
    const heaps: number[] = [];
    for (let round = 0; round < 4; round++) heaps.push(await afterOutage());
    // Claims leave something behind in each outage, the rest of the process only now and then.
    const [, median] = heaps
      .slice(1)
      .map((heap, index) => heap - heaps[index]!)
      .toSorted((a, b) => a - b);
    // Less than 100 bytes for each claim.
    expect(median).toBeLessThan(2000 * 100);
  });
});
