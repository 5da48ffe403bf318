// What `RedlockService` takes and returns, as the compiler sees it.
import type { CronJob } from 'cron';
import { expectTypeOf } from 'vitest';
import type {
  CurrentRun,
  Duration,
  RedlockLock,
  RedlockService,
  RunOutcome,
  SkipReason,
  Trigger,
} from '../../src/index.js';

/** Is compiled, and never called. */
export async function run(redlock: RedlockService, job: CronJob): Promise<void> {
  expectTypeOf(redlock.run('job', () => 7)).toEqualTypeOf<Promise<RunOutcome<number>>>();
  expectTypeOf(redlock.run('job', async () => 'done')).toEqualTypeOf<Promise<RunOutcome<string>>>();
  expectTypeOf(redlock.run('job', () => {})).toEqualTypeOf<Promise<RunOutcome<void>>>();
  await redlock.run('job', () => 7, { job, ttl: '1m', every: 1000, overlap: 'skip', onStoreDown: 'throw' });
  await redlock.run('job', (self) => expectTypeOf(self).toEqualTypeOf<CurrentRun>());

  const outcome = await redlock.run('job', () => 7);
  if (outcome.ran) {
    expectTypeOf(outcome.value).toEqualTypeOf<number>();
    expectTypeOf(outcome.reason).toEqualTypeOf<undefined>();
  } else {
    expectTypeOf(outcome.reason).toEqualTypeOf<SkipReason>();
    expectTypeOf(outcome.value).toEqualTypeOf<undefined>();
  }
  // @ts-expect-error a value for certain only once `ran` was looked at
  void outcome.value.toFixed();
  // @ts-expect-error nobody can change an outcome
  outcome.ran = true;

  // @ts-expect-error no name
  await redlock.run(() => 7);
  // @ts-expect-error a function as the name, which only the decorator takes
  await redlock.run(String, () => 7);
  // @ts-expect-error no routine
  await redlock.run('job');
  // @ts-expect-error the name of a cron job, not the job
  await redlock.run('job', () => 7, { job: 'hourly' });
  // @ts-expect-error an option of a lock
  await redlock.run('job', () => 7, { wait: '1s' });
}

/** Is compiled, and never called. */
export async function lock(redlock: RedlockService): Promise<void> {
  expectTypeOf(redlock.lock('import', { wait: '5s', ttl: 30_000 })).toEqualTypeOf<
    Promise<RedlockLock | null>
  >();
  const held = await redlock.lock('import');
  // @ts-expect-error it can be null
  await held.release();
  await using disposed = await redlock.lock('import');
  if (held && disposed) {
    expectTypeOf<RedlockLock['extend']>().toEqualTypeOf<(ttl?: Duration) => Promise<void>>();
    expectTypeOf(held.expiresAt).toEqualTypeOf<Date>();
    // @ts-expect-error what a lock is called does not change
    held.name = 'other';
  }
  // @ts-expect-error no duration
  await redlock.lock('import', { wait: true });
  // @ts-expect-error an option of a job
  await redlock.lock('import', { recover: true });
}

/** Is compiled, and never called. */
export function current(redlock: RedlockService): void {
  const found = redlock.current();
  // @ts-expect-error there may be none
  void found.name;
  if (!found) return;
  expectTypeOf(found.tick).toEqualTypeOf<Date | null>();
  expectTypeOf(found.fencingToken).toEqualTypeOf<number | null>();
}

/** Is compiled, and never called. */
export function on(redlock: RedlockService): void {
  expectTypeOf(redlock.on('started', () => {})).toEqualTypeOf<() => void>();
  redlock.on('started', ({ runId, name, pattern, tick, instanceId, trigger, ...rest }) => {
    expectTypeOf(runId).toEqualTypeOf<string>();
    expectTypeOf(name).toEqualTypeOf<string>();
    expectTypeOf(pattern).toEqualTypeOf<string>();
    expectTypeOf(tick).toEqualTypeOf<Date | null>();
    expectTypeOf(instanceId).toEqualTypeOf<string>();
    expectTypeOf(trigger).toEqualTypeOf<Trigger>();
    expectTypeOf(rest).toEqualTypeOf<{}>();
  });
  redlock.on('finished', ({ duration }) => expectTypeOf(duration).toEqualTypeOf<number>());
  redlock.on('failed', ({ error }) => expectTypeOf(error).toEqualTypeOf<unknown>());
  redlock.on('skipped', ({ reason }) => expectTypeOf(reason).toEqualTypeOf<SkipReason>());
  redlock.on('aborted', ({ error }) => expectTypeOf(error).toEqualTypeOf<Error>());
  redlock.on('finished', async () => {});
  // @ts-expect-error no such event
  redlock.on('won', () => {});
  // @ts-expect-error only a run that was skipped has a reason
  redlock.on('started', ({ reason }) => reason);
}

/** Each reason by name: one that is added or taken away has to be added or taken away here. */
export type Reasons = Record<SkipReason, true>;
export const reasons: Reasons = {
  elsewhere: true,
  overlap: true,
  settled: true,
  early: true,
  'store-down': true,
  overload: true,
  paused: true,
  shutdown: true,
};
