import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import type { Redis } from 'ioredis';
import { beforeEach, expect, it, vi } from 'vitest';
import {
  Exclusive,
  MemoryNode,
  RedlockModule,
  RedlockService,
  ShutdownError,
  type Duration,
} from '../../src/index.js';
import type { Claim, Vote } from '../../src/nodes/index.js';
import { LeaseRegistry } from '../../src/services/lease-registry.service.js';
import { byHand, close, fire, newYear, ONCE_A_YEAR, start, startFleet } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();
let client: Redis;
beforeEach(async () => {
  client = clientOf(server.it);
  await client.flushall();
});

/** How long a run goes on, in milliseconds. */
let work = 0;

@Injectable()
class Jobs {
  readonly ended: string[] = [];
  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<string> {
    const { signal } = this.redlock.current()!;
    await pause(work, undefined, { signal }).then(
      () => this.ended.push('done'),
      () => this.ended.push((signal.reason as Error).name),
    );
    return 'reported';
  }
}

const redlock = (shutdownTimeout: Duration) => ({ nodes: server.it.url, shutdownTimeout });
const locked = async (): Promise<boolean> => (await client.exists('JOB_LOCKER_report')) === 1;
/** What says in Redis that the tick has been run. */
const settled = async (): Promise<(string | null)[]> =>
  client.mget('{JOB_LOCKER_report}:last', `{JOB_LOCKER_report}:tick:${newYear().getTime()}`);
const SETTLED = [String(newYear().getTime()), expect.any(String)];

it('lets a run in progress end, under its lock, and settles its tick', async () => {
  work = 600;
  const app = await start({ redlock: redlock('20s'), providers: [Jobs] });
  const run = fire(app, 'report');
  await expect.poll(locked).toBe(true);
  const began = performance.now();
  const closing = close(app);
  await pause(100);
  expect(await locked()).toBe(true);
  await closing;
  // As soon as the run is over, and not when the time for it is.
  expect(performance.now() - began).toBeLessThan(10_000);
  await run;
  expect(app.get(Jobs).ended).toEqual(['done']);
  expect(await locked()).toBe(false);
  expect(await settled()).toEqual(SETTLED);
});

it('ends both, where the application is closed twice at the same time', async () => {
  work = 600;
  const app = await start({ redlock: redlock('20s'), providers: [Jobs] });
  const run = fire(app, 'report');
  await expect.poll(locked).toBe(true);
  const began = performance.now();
  // As Nest 11 does for a signal and `app.close()`.
  const leases = app.get(LeaseRegistry, { strict: false });
  leases.close();
  await leases.claimsDecided();
  const { signal } = new AbortController();
  await Promise.all([leases.drain(20_000, signal), leases.drain(20_000, signal)]);
  expect(performance.now() - began).toBeLessThan(10_000);
  await run;
  await close(app);
});

it('aborts a run that is not over in time, and settles its tick', async () => {
  work = 60_000;
  const logger = new RecordingLogger();
  const app = await start({ redlock: redlock('300ms'), providers: [Jobs], logger });
  const lost: Error[] = [];
  app.get(RedlockService).on('aborted', ({ error }) => lost.push(error));
  const started = new Promise((resolve) => void app.get(RedlockService).on('started', resolve));
  const run = app.get(Jobs).report();
  await started;
  const begin = performance.now();
  await close(app);
  expect(performance.now() - begin).toBeGreaterThanOrEqual(295);
  expect(performance.now() - begin).toBeLessThan(5000);
  expect(await run).toBe('reported');
  expect(app.get(Jobs).ended).toEqual(['ShutdownError']);
  expect(lost).toEqual([expect.any(ShutdownError)]);
  expect(await locked()).toBe(false);
});

it('gives an aborted run time to stop, also where another signal has ended the wait', async () => {
  const app = await start({ redlock: redlock('20s') });
  let ended = false;
  const run = app.get(RedlockService).run('report', async ({ signal }) => {
    await pause(60_000, undefined, { signal }).catch(() => {});
    await pause(200);
    ended = true;
  });
  await expect.poll(locked).toBe(true);
  const leases = app.get(LeaseRegistry, { strict: false });
  leases.close();
  await leases.claimsDecided();
  await leases.drain(20_000, AbortSignal.abort());
  expect(ended).toBe(true);
  await run;
  await close(app);
});

it('gives back the lock of a run that does not heed its signal, and settles its tick', async () => {
  const app = await start({ redlock: redlock('100ms') });
  const stop = new AbortController();
  const deaf = app.get(RedlockService).run('report', () => pause(60_000, 'late', { signal: stop.signal }));
  await expect.poll(locked).toBe(true);
  await close(app);
  expect(await locked()).toBe(false);
  stop.abort();
  await expect(deaf).rejects.toThrow('aborted');
});

/** A node that takes its time to answer a claim. */
class SlowNode extends MemoryNode {
  override async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    await pause(100);
    return super.claim(claim, token, ttl);
  }
}

it('waits for a run too that was claimed before, and granted after the shutdown began', async () => {
  const nodes = new SlowNode();
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes, shutdownTimeout: '20s' }, logger });
  let ended = false;
  const run = app.get(RedlockService).run('report', async () => {
    await pause(300);
    ended = true;
  });
  await close(app);
  expect(ended).toBe(true);
  expect(await run).toMatchObject({ ran: true });
  expect(logger.text).toContain('Waiting up to 20000 ms for runs in progress: "report"');
  expect(await nodes.claim({ lock: 'JOB_LOCKER_report' }, 'somebody else', 1000)).toEqual({
    kind: 'granted',
  });
});

it('makes no new claims, and says so', async () => {
  work = 0;
  const app = await start({ redlock: redlock('1s'), providers: [Jobs] });
  const reasons: string[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  await close(app);
  expect(await app.get(Jobs).report()).toBeUndefined();
  expect(await app.get(RedlockService).lock('report')).toBeNull();
  expect(await app.get(RedlockService).run('report', () => 1)).toEqual({ ran: false, reason: 'shutdown' });
  expect(reasons).toEqual(['shutdown', 'shutdown']);
  // Its entry in the register ends by itself.
  const keys = await client.keys('*');
  expect(keys.filter((key) => !key.includes('}:fleet'))).toEqual([]);
});

it('asks no node any more once it has begun', async () => {
  const node = new MemoryNode();
  const app = await start({ redlock: { nodes: node } });
  app.get(LeaseRegistry, { strict: false }).close();
  const asked = vi.spyOn(node, 'claim');
  expect(await app.get(RedlockService).run('report', () => 1)).toEqual({ ran: false, reason: 'shutdown' });
  expect(asked).not.toHaveBeenCalled();
});

it('ends the wait for a lock at once', async () => {
  const other = await start({ redlock: redlock('1s') });
  const held = await other.get(RedlockService).lock('report');
  const app = await start({ redlock: redlock('20s') });
  const waiting = app.get(RedlockService).lock('report', { wait: '1m' });
  await pause(50);
  const begin = performance.now();
  await close(app);
  expect(await waiting).toBeNull();
  expect(performance.now() - begin).toBeLessThan(5000);
  await held?.release();
});

it('releases the locks that were never released', async () => {
  const app = await start({ redlock: redlock('100ms') });
  const lock = await app.get(RedlockService).lock('report');
  await close(app);
  expect(lock?.signal.reason).toBeInstanceOf(ShutdownError);
  expect(String(lock?.signal.reason)).toMatch(/The lock of ".+" was still held when/);
  expect(await locked()).toBe(false);
});

/** A provider that takes its time to end, with a run of its own in the meantime. */
@Injectable()
class Slow implements OnModuleDestroy {
  outcome: unknown;
  constructor(readonly locks: RedlockService) {}

  async onModuleDestroy(): Promise<void> {
    await pause(300);
    this.outcome = await this.locks.run('report', () => 'farewell').catch((error: unknown) => error);
  }
}

@Module({ providers: [Slow] })
class SlowModule {}

@Module({ imports: [SlowModule] })
class DeepModule {}

it.each<[string, (options: ReturnType<typeof redlock>) => Parameters<typeof start>[0]]>([
  ['a provider of the root module', (options) => ({ redlock: options, providers: [Slow] })],
  [
    'a module that was imported before',
    (options) => ({
      redlock: null,
      imports: [SlowModule, RedlockModule.forRoot(options)],
    }),
  ],
  [
    'a module that was imported after',
    (options) => ({
      redlock: null,
      imports: [RedlockModule.forRoot(options), SlowModule],
    }),
  ],
  [
    'a module further down',
    (options) => ({
      redlock: null,
      imports: [DeepModule, RedlockModule.forRoot(options)],
    }),
  ],
])('works in whatever order modules are destroyed: %s', async (_where, parts) => {
  work = 500;
  const given = parts(redlock('20s'));
  const app = await start({ ...given, providers: [...(given.providers ?? []), Jobs] });
  const run = fire(app, 'report');
  await expect.poll(locked).toBe(true);
  await close(app);
  await run;
  expect(app.get(Jobs).ended).toEqual(['done']);
  expect(await locked()).toBe(false);
  expect(await settled()).toEqual(SETTLED);
  // Either it came before the gate was shut, or after; but neither with an error, nor with a lock that stays.
  expect(app.get(Slow, { strict: false }).outcome).toMatchObject({ ran: expect.any(Boolean) });
});

it('many applications that close at once in one process add one listener for each signal', async () => {
  const before = process.listenerCount('SIGTERM');
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.name);
  process.on('warning', note);
  const apps = await startFleet(12, { redlock: { nodes: 'memory' } });
  await Promise.all(apps.map(close));
  await pause(0);
  process.off('warning', note);
  expect(process.listenerCount('SIGTERM')).toBe(before);
  expect(warnings).toEqual([]);
});
