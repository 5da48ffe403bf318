import { setTimeout as pause } from 'node:timers/promises';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import { CronJob, CronTime } from 'cron';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { CronTicks } from '../../src/schedule/cron-ticks.js';
import { close, fire, start } from '../module/application.js';
import { countRounds } from './rounds.js';

const MONTHLY = Array.from({ length: 30 }, (_, day) => `${day} 7 3 ${1 + (day % 28)} * *`);

const ask = Reflect.get<CronTime, 'getNextDateFrom'>(CronTime.prototype, 'getNextDateFrom');
let questions: MockInstance<CronTime['getNextDateFrom']>;
beforeEach(() => void (questions = vi.spyOn(CronTime.prototype, 'getNextDateFrom')));
afterEach(() => void vi.restoreAllMocks());

/** A provider with one method for each expression. */
function jobsOf(expressions: readonly string[], decorate?: (name: string) => MethodDecorator) {
  class Jobs {
    readonly expressions = expressions;
  }
  for (const [index, expression] of expressions.entries()) {
    const name = `job ${index}`;
    const method = { value: async (): Promise<void> => {}, writable: true, configurable: true };
    decorate?.(name)(Jobs.prototype, name, method);
    Cron(expression, { name, timeZone: 'UTC' })(Jobs.prototype, name, method);
    Object.defineProperty(Jobs.prototype, name, method);
  }
  return Jobs;
}

const exclusive = (name: string): MethodDecorator => Exclusive(name);
const recovering = (name: string): MethodDecorator => Exclusive(name, { recover: true });

/** Waits until `cron` has been asked `count` times, and long enough for more questions to come. */
async function asked(count: number): Promise<void> {
  for (let waits = 0; questions.mock.calls.length < count && waits < 100; waits++) await pause(50);
  await pause(500);
}

describe('the start of an application with many schedules', () => {
  it('asks cron no question that it does not ask without the package', async () => {
    await close(await start({ redlock: null, providers: [jobsOf(MONTHLY)] }));
    const without = questions.mock.calls.length;
    expect(without).toBeGreaterThanOrEqual(MONTHLY.length);
    questions.mockClear();
    await start({ providers: [jobsOf(MONTHLY, exclusive)] });
    expect(questions.mock.calls).toHaveLength(without);
  });

  it('is followed by two questions for each schedule, in turns', async () => {
    await start({ providers: [jobsOf(MONTHLY, exclusive)] });
    questions.mockClear();
    const rounds = countRounds();
    const seen = new Set<number>();
    questions.mockImplementation(function (this: CronTime, ...question) {
      seen.add(rounds.count);
      return ask.call(this, ...question);
    });
    await asked(2 * MONTHLY.length);
    rounds.stop();
    expect(questions.mock.calls).toHaveLength(2 * MONTHLY.length);
    expect(seen.size).toBe(2 * MONTHLY.length);
  });

  it('is followed by one parsing of each expression, in turns', async () => {
    const prototype = CronTime.prototype as unknown as { _parse: (source: string) => void };
    const original = Reflect.get<typeof prototype, '_parse'>(prototype, '_parse');
    const parse = vi.spyOn(prototype, '_parse');
    await close(await start({ redlock: null, providers: [jobsOf(MONTHLY)] }));
    const without = parse.mock.calls.length;
    parse.mockClear();
    await start({ providers: [jobsOf(MONTHLY, exclusive)] });
    expect(parse.mock.calls).toHaveLength(without);
    parse.mockClear();
    const rounds = countRounds();
    const seen = new Set<number>();
    parse.mockImplementation(function (this: typeof prototype, source) {
      seen.add(rounds.count);
      original.call(this, source);
    });
    await asked(without + 3 * MONTHLY.length);
    rounds.stop();
    expect(parse.mock.calls).toHaveLength(MONTHLY.length);
    expect(seen.size).toBe(MONTHLY.length);
  });

  it('prepares a schedule once for all methods that share it', async () => {
    await start({
      providers: [
        jobsOf(
          Array.from({ length: 30 }, () => MONTHLY[0]!),
          exclusive,
        ),
      ],
    });
    questions.mockClear();
    await asked(2);
    expect(questions.mock.calls).toHaveLength(2);
  });

  it('leaves schedules alone that no decorated method has', async () => {
    await start({ providers: [jobsOf(MONTHLY)] });
    questions.mockClear();
    await asked(0);
    expect(questions.mock.calls).toHaveLength(0);
  });

  it('looks for the ticks of jobs with `recover` in turns', async () => {
    const rounds = countRounds();
    const seen: number[] = [];
    const latest = Reflect.get<CronTicks, 'latest'>(CronTicks.prototype, 'latest');
    vi.spyOn(CronTicks.prototype, 'latest').mockImplementation(function (this: CronTicks, now) {
      seen.push(rounds.count);
      return latest.call(this, now);
    });
    await start({ providers: [jobsOf(MONTHLY, recovering)] });
    for (let waits = 0; seen.length < MONTHLY.length && waits < 100; waits++) await pause(50);
    rounds.stop();
    expect(seen.length).toBeGreaterThanOrEqual(MONTHLY.length);
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('a tick', () => {
  it('is computed once for a decorated method, a job that is added later, and a job in no registry', async () => {
    const cronTime = '0 8 4 1 * *';
    const app = await start({ providers: [jobsOf([cronTime], exclusive)] });
    const redlock = app.get(RedlockService);
    const ticks: (number | undefined)[] = [];
    const note = (): void => void ticks.push(redlock.current()?.tick?.getTime());
    const from = (name: string, job?: () => CronJob) => async (): Promise<void> => {
      await redlock.run(name, note, { job: job?.() });
    };
    const spec = { cronTime, timeZone: 'UTC', waitForCompletion: true };
    app.get(SchedulerRegistry).addCronJob('added', CronJob.from({ ...spec, onTick: from('added') }));
    const loose: CronJob = CronJob.from({ ...spec, onTick: from('loose', () => loose) });
    redlock.on('started', ({ tick }) => ticks.push(tick?.getTime()));

    questions.mockClear();
    // Applications of earlier tests may still prepare their ticks.
    const questionsAsked = (): number =>
      questions.mock.contexts.filter((time) => (time as CronTime).source === cronTime).length;
    await fire(app, 'job 0');
    const first = questionsAsked();
    expect(first).toBeGreaterThan(0);
    await fire(app, 'added');
    await loose.fireOnTick();
    expect(ticks).toHaveLength(5);
    expect(new Set(ticks).size).toBe(1);
    expect(questionsAsked()).toBe(first);
  });
});
