import { Redis } from 'ioredis';
import { beforeAll, describe, expect, it } from 'vitest';
import { useServer } from '../module/redis.js';
import { EACH_TICK_ONCE, LIFE, NEVER, PATIENCE, useConsumers, verdictOn } from './consumer.js';

/** From the outermost decorator to the innermost. */
const ORDERS = [
  'Cron > Third > Exclusive',
  'Third > Cron > Exclusive',
  'Cron > Exclusive > Third',
  'Exclusive > Third > Cron',
  'Exclusive > Cron > Third',
  'Third > Exclusive > Cron',
];
/** From packages. They copy the metadata of the method that they wrap. */
const COPYING = ['SentryCron', 'UseCls', 'Span'];
/** Written by hand. They do not copy it, so the scheduler does not find a `@Cron` below them. */
const LOSING = ['LogErrors', 'Retry'];

const isAbove = (one: string, other: string) => (order: string) => order.indexOf(one) < order.indexOf(other);
const jobsWith = (decorators: string[], orders: string[]): string[] =>
  decorators.flatMap((decorator) => orders.map((order) => order.replace('Third', decorator)));

const WORKING = [...jobsWith(COPYING, ORDERS), ...jobsWith(LOSING, ORDERS.filter(isAbove('Cron', 'Third')))];
/** The scheduler does not know of these. */
const HIDDEN = jobsWith(LOSING, ORDERS.filter(isAbove('Third', 'Cron')));

/** The jobs that have no third decorator. */
const OTHER_JOBS = ['configured', 'failing', 'manufactured'];

const INSTANCES = 2;
const KINDS = [
  {
    what: 'NestJS 11, @sentry/nestjs 10 and nestjs-otel 7, in CommonJS',
    folder: 'nest-11',
    args: ['dist/main.js'],
  },
  {
    what: 'NestJS 12, @sentry/nestjs 11 and nestjs-otel 8, in ESM',
    folder: 'nest-12',
    args: ['--import', './dist/instrument.js', 'dist/main.js'],
  },
] as const;

const consumers = useConsumers({
  'nest-11': ['decorators/nest-11', 'decorators/application', 'ledger'],
  'nest-12': ['decorators/nest-12', 'decorators/application', 'ledger'],
});

/** The messages in the lines of a log. Lines that are not JSON come from `cron`. */
const messagesIn = (lines: readonly string[]): string[] =>
  lines.map((line) => (line.startsWith('{') ? (JSON.parse(line) as { message: string }).message : line));

describe.each(KINDS)('with $what', { timeout: PATIENCE }, ({ folder, args }) => {
  const server = useServer();
  /** What the instances have written to Redis. */
  let lists: Map<string, string[]>;
  let log: string[];

  const linesOf = (list: string): string[] => lists.get(list) ?? [];
  const runsOf = (job: string): string[] => linesOf(`runs of ${job}`);
  const verdicts = (jobs: readonly string[]) => jobs.map((job) => `${job}: ${verdictOn(runsOf(job))}`);
  const timesSent = (line: string): number => linesOf('sent').filter((other) => other === line).length;
  /** How often Sentry heard of each run of a job with `@SentryCron`, and of one with `@Span`. */
  const reportsPerRun = (order: string): number[] => {
    const monitored = order.replace('Third', 'SentryCron');
    const traced = order.replace('Third', 'Span');
    return [
      timesSent(`check-in of ${monitored}: ok`) / runsOf(monitored).length,
      timesSent(`span ${traced}`) / runsOf(traced).length,
    ];
  };

  async function runFleet(): Promise<void> {
    const redis = new Redis(server.it.url);
    try {
      await redis.flushall();
      const env = { REDIS_URL: server.it.url, LIFE: String(LIFE) };
      const programs = Array.from({ length: INSTANCES }, () => consumers[folder].start(args, env));
      await Promise.all(programs.map(({ ended }) => ended));
      log = programs.flatMap(({ lines }) => messagesIn(lines));
      const names = [...(await redis.keys('runs of *')), ...(await redis.keys('attempts of *')), 'sent'];
      lists = new Map(
        await Promise.all(names.map(async (name) => [name, await redis.lrange(name, 0, -1)] as const)),
      );
    } finally {
      redis.disconnect();
    }
  }

  beforeAll(async () => {
    await consumers[folder].script('build');
    await runFleet();
  }, PATIENCE);

  // `cron` skips a tick in a process that stalls for more than 250 ms. If all do, the fleet is started again.
  it(
    'each tick runs once in every order of decorators in which the scheduler finds the job',
    { retry: 2 },
    async ({ task }) => {
      if (task.result?.retryCount) await runFleet();
      const jobs = [...WORKING, 'configured', 'failing'];
      expect(verdicts(jobs)).toEqual(jobs.map((job) => `${job}: ${EACH_TICK_ONCE}`));
    },
  );

  it('a decorator that copies no metadata hides the @Cron below it, with or without @Exclusive', () => {
    const hidden = [...HIDDEN, 'LogErrors > Cron', 'Retry > Cron'];
    expect(verdicts(hidden)).toEqual(hidden.map((job) => `${job}: ${NEVER}`));
  });

  it('a cron job that is built from configuration runs each tick once through a method with @Exclusive', () => {
    expect(verdictOn(runsOf('configured'))).toBe(EACH_TICK_ONCE);
  });

  it('a retry decorator above or below @Exclusive makes all its attempts on the instance that wins', () => {
    const retried = WORKING.filter((job) => job.includes('Retry'));
    expect(retried).toHaveLength(3);
    for (const job of retried) {
      const attempts = linesOf(`attempts of ${job}`);
      const firstOf = (tick: string): string | undefined => attempts.find((line) => line.startsWith(tick));
      expect(attempts).toEqual(runsOf(job).flatMap((tick) => Array.from({ length: 3 }, () => firstOf(tick))));
    }
  });

  it('a run that fails is reported to Sentry and logged once over the fleet', () => {
    expect(verdictOn(runsOf('failing'))).toBe(EACH_TICK_ONCE);
    const runs = runsOf('failing').length;
    expect(timesSent('On purpose, captured by auto.function.nestjs.cron')).toBe(runs);
    expect(log.filter((message) => message.includes('On purpose'))).toHaveLength(runs);
  });

  it('@SentryCron and @Span report runs below @Exclusive, and the calls on all instances above it', () => {
    const below = ORDERS.filter(isAbove('Exclusive', 'Third'));
    const above = ORDERS.filter(isAbove('Third', 'Exclusive'));
    expect(below.map(reportsPerRun)).toEqual(below.map(() => [1, 1]));
    expect(Math.min(...above.flatMap(reportsPerRun))).toBeGreaterThan(1);
  });

  it('a job of an object that a factory returns runs each tick once under the instrumentation of Sentry', () => {
    expect(log.filter((message) => message.includes('Manufactured'))).toEqual([]);
    expect(verdictOn(runsOf('manufactured'))).toBe(EACH_TICK_ONCE);
  });

  it('all jobs are found at start, whatever decorators are above @Exclusive', () => {
    const jobs = ORDERS.length * (COPYING.length + LOSING.length) + OTHER_JOBS.length;
    const found = log.flatMap((message) => /Guarding \d+ jobs/.exec(message) ?? []);
    expect(found).toEqual(Array.from({ length: INSTANCES }, () => `Guarding ${jobs} jobs`));
  });
});
