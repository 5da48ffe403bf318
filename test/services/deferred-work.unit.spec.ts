import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { defer, lastValueFrom, type Observable } from 'rxjs';
import { expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';

@Injectable()
class Jobs {
  static runs = 0;
  static readonly work = defer(async () => ++Jobs.runs);

  @Exclusive('observable') observable(): Observable<number> {
    return Jobs.work;
  }

  @Exclusive('promised observable') async promised(): Promise<Observable<number>> {
    return Jobs.work;
  }

  @Exclusive('async generator') async *asyncGenerator(): AsyncGenerator<number> {
    yield ++Jobs.runs;
  }

  @Exclusive('generator') *generator(): Generator<number> {
    yield ++Jobs.runs;
  }

  @Exclusive('whole') whole(): Promise<number> {
    return lastValueFrom(Jobs.work);
  }

  @Exclusive('part') part(): Observable<number> {
    return Jobs.work;
  }
}

const OBSERVABLE =
  'the result must not be an Observable, whose work would begin after the lock is released: ' +
  'return a promise, for example lastValueFrom(observable)';
const GENERATOR =
  'the result must not be a generator, whose work would begin after the lock is released: ' +
  'iterate over it in the job, and return a promise';

it.each<[name: string, call: (jobs: Jobs) => unknown, problem: string]>([
  ['observable', (jobs) => jobs.observable(), OBSERVABLE],
  ['promised observable', (jobs) => jobs.promised(), OBSERVABLE],
  ['async generator', (jobs) => jobs.asyncGenerator(), GENERATOR],
  ['generator', (jobs) => jobs.generator(), GENERATOR],
])('a job whose work would begin after its run fails: %s', async (name, call, problem) => {
  const app = await start({ providers: [Jobs] });
  const redlock = app.get(RedlockService);
  const ends: unknown[] = [];
  redlock.on('finished', () => ends.push('finished'));
  redlock.on('failed', ({ error }) => ends.push(error));
  const error: unknown = await (call(app.get(Jobs)) as Promise<unknown>).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect(String(error)).toBe(`InvalidOptionError: Job "${name}": ${problem}`);
  expect(ends).toEqual([error]);
  expect(await redlock.history(name)).toMatchObject([{ outcome: 'failed' }]);
});

it('so does a routine whose work would begin after its run', async () => {
  const redlock = (await start({})).get(RedlockService);
  await expect(redlock.run('routine', () => Jobs.work)).rejects.toThrow(`Job "routine": ${OBSERVABLE}`);
});

it('a mock, which has every method, may be the result of a job', async () => {
  const redlock = (await start({})).get(RedlockService);
  const mock: object = new Proxy({}, { get: (_target, key) => (key === 'then' ? undefined : () => mock) });
  const outcome = await redlock.run('mocked', () => mock);
  expect(outcome.ran && outcome.value === mock).toBe(true);
});

it('a job may await an Observable, pass one on within its run, and return a stream', async () => {
  Jobs.runs = 0;
  const app = await start({ providers: [Jobs] });
  const [jobs, redlock] = [app.get(Jobs), app.get(RedlockService)];
  expect(await jobs.whole()).toBe(1);
  expect(await redlock.run('part', () => lastValueFrom(jobs.part()))).toEqual({ ran: true, value: 2 });
  const stream = Readable.from(['text']);
  expect(await redlock.run('stream', () => stream)).toEqual({ ran: true, value: stream });
});
