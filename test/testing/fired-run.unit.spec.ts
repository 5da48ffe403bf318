import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import type { RedlockModuleOptions } from '../../src/index.js';
import type { TestFleet } from '../../src/testing/index.js';
import { startFleet } from './application.js';

const HOURLY = '0 0 * * * *';
type Method = (this: Jobs, ...args: unknown[]) => Promise<unknown>;

/** A decorator above `@Exclusive`, which knows the metadata of the method. */
function around(wrap: (jobs: Jobs, call: () => Promise<unknown>) => Promise<unknown>): MethodDecorator {
  return (_target, _key, descriptor) => {
    const method = descriptor.value as Method;
    const wrapper: Method = async function (...args) {
      return wrap(this, () => Reflect.apply(method, this, args));
    };
    for (const key of Reflect.getMetadataKeys(method))
      Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapper);
    descriptor.value = wrapper as typeof descriptor.value;
  };
}

@Injectable()
class Jobs {
  readonly region = 'north';
  isOn = false;
  attempts = 0;

  constructor(readonly redlock: RedlockService) {}

  @around(async ({ isOn }, call) => (isOn ? call() : 'off'))
  @Cron(HOURLY)
  @Exclusive('flagged')
  async flagged(): Promise<string> {
    return 'done';
  }

  @Exclusive('audit')
  async audit(): Promise<void> {}

  @around(async (jobs, call) => {
    await jobs.audit();
    return call();
  })
  @Cron(HOURLY)
  @Exclusive('audited')
  async audited(): Promise<string> {
    return 'done';
  }

  @around(async ({ redlock }, call) => {
    await redlock.run('same name', () => {});
    return call();
  })
  @Cron(HOURLY)
  @Exclusive('same name')
  async sameName(): Promise<string> {
    return 'done';
  }

  @around(async (jobs, call) => {
    await jobs.audit();
    return call();
  })
  @Cron(HOURLY)
  @Exclusive(function (this: Jobs) {
    return `computed:${this.region}`;
  })
  async computed(): Promise<string> {
    return 'done';
  }

  @around(async (_jobs, call) => call().catch(call))
  @Cron(HOURLY)
  @Exclusive('retried')
  async retried(): Promise<string> {
    if (this.attempts++ === 0) throw new Error('Try again');
    return 'done';
  }
}

async function start(
  options: RedlockModuleOptions = {},
  imports: ModuleMetadata['imports'] = [],
): Promise<TestFleet> {
  @Module({
    imports: [ScheduleModule.forRoot(), RedlockModule.forRoot(options), ...imports],
    providers: [Jobs],
  })
  class AppModule {}
  const { fleet } = await startFleet({ override: undefined }, AppModule);
  return fleet;
}

describe('a decorator above @Exclusive', () => {
  it('that does not call the method makes no run', async () => {
    const fleet = await start();
    expect(await fleet.fire('flagged')).toEqual([
      { instance: 0, ran: false },
      { instance: 1, ran: false },
    ]);
    for (const instance of fleet.instances) instance.get(Jobs).isOn = true;
    expect(await fleet.fire('flagged')).toMatchObject([
      { reason: 'elsewhere' },
      { ran: true, value: 'done' },
    ]);
  });

  it('makes no run either without a guard', async () => {
    const fleet = await start({ enabled: false });
    fleet.instances[1]!.get(Jobs).isOn = true;
    expect(await fleet.fire('flagged')).toEqual([
      { instance: 0, ran: false },
      { instance: 1, ran: true, value: 'done' },
    ]);
  });

  it.each([
    ['audited', 'audited'],
    ['same name', 'same name'],
    ['Jobs.computed', 'computed:north'],
  ])('that calls another job first leaves the result to the job: %s', async (job, name) => {
    const fleet = await start();
    const runs = await fleet.fire(job);
    const [record] = await fleet.instances[0]!.get(RedlockService).history(name);
    expect(record?.outcome).toBe('finished');
    expect(runs.filter(({ ran }) => ran)).toEqual([
      { instance: expect.any(Number) as unknown, ran: true, value: 'done', record },
    ]);
    expect(runs.filter(({ ran }) => !ran)).toEqual([
      { instance: expect.any(Number) as unknown, ran: false, reason: 'elsewhere' },
    ]);
  });

  it('that calls it again makes one result, of the first run', async () => {
    const fleet = await start();
    expect(await fleet.fire('retried')).toMatchObject([
      { ran: true, value: 'done', record: { outcome: 'failed' } },
      { ran: false },
    ]);
  });
});

it('the jobs of each import of the module tell of themselves', async () => {
  @Injectable()
  class LibraryJobs {
    @Cron(HOURLY) @Exclusive('of the library') async run(): Promise<void> {}
  }

  @Module({ imports: [RedlockModule.forRoot({ isGlobal: false })], providers: [LibraryJobs] })
  class LibraryModule {}

  const fleet = await start({ isGlobal: false } as RedlockModuleOptions, [LibraryModule]);
  for (const instance of fleet.instances) instance.get(Jobs).isOn = true;
  for (const job of ['of the library', 'flagged']) {
    const runs = await fleet.fire(job);
    expect(runs.filter(({ ran }) => ran)).toMatchObject([{ record: { outcome: 'finished' } }]);
    expect(runs.filter(({ ran }) => !ran)).toMatchObject([{ reason: 'elsewhere' }]);
  }
  await fleet.fire('of the library', new Date(fleet.now.getTime() + 3 * 3_600_000));
  const [, second] = await fleet.fire('of the library', new Date(fleet.now.getTime() + 3 * 3_600_000));
  expect(second?.missed).toMatchObject([{ count: 2 }]);
});
