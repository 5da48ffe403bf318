import { Injectable, type Provider } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob, CronTime } from 'cron';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ONCE_A_YEAR, start } from '../module/application.js';
import { RedlockService } from '../../src/index.js';

/** As in the documentation of NestJS: methods that are called like those of the registry. */
@Injectable()
class JobsController {
  constructor(private readonly registry: SchedulerRegistry) {}

  addCronJob(name: string, time: string, work = () => {}): string {
    const job = new CronJob(time, work);
    this.registry.addCronJob(name, job);
    return `added ${name}`;
  }

  getCronJobs(): Map<string, CronJob> {
    return this.registry.getCronJobs();
  }
}

/** The jobs that users define. */
class StoredJobs {
  calls = 0;
  private readonly jobs = new Map([['mails', { expression: '0 * * * *' }]]);

  addCronJob(name: string, expression: string, owner: string): string {
    this.jobs.set(name, { expression });
    return `${name} of ${owner}`;
  }

  getCronJobs(): Map<string, { expression: string }> {
    this.calls++;
    return this.jobs;
  }
}

class OwnRegistry extends SchedulerRegistry {
  override addCronJob(name: string, job: CronJob, owner = 'nobody'): string {
    super.addCronJob(name, job);
    return `${name} of ${owner}`;
  }
}

describe('a provider that only resembles the scheduler is left alone:', () => {
  it('a service around the registry', async () => {
    const app = await start({ providers: [JobsController] });
    let runs = 0;
    expect(app.get(JobsController).addCronJob('mails', ONCE_A_YEAR, () => runs++)).toBe('added mails');
    await app.get(SchedulerRegistry).getCronJob('mails').fireOnTick();
    expect(runs).toBe(1);
  });

  it('one that keeps jobs of its own', async () => {
    const app = await start({ providers: [StoredJobs] });
    const stored = app.get(StoredJobs);
    expect(stored.calls).toBe(0);
    expect(stored.addCronJob('reports', '0 * * * *', 'alice')).toBe('reports of alice');
  });

  it('a client that turns each method into a request, and cannot be written to', async () => {
    const requests: PropertyKey[] = [];
    const local = new Set<PropertyKey>([
      'then',
      'constructor',
      'configure',
      'onModuleInit',
      'onModuleDestroy',
    ]);
    for (const hook of ['onApplicationBootstrap', 'beforeApplicationShutdown', 'onApplicationShutdown'])
      local.add(hook);
    const client = new Proxy<Record<PropertyKey, unknown>>(
      {},
      {
        get: (_target, key) =>
          typeof key === 'symbol' || local.has(key) ? undefined : () => void requests.push(key),
        set: () => false,
      },
    );
    const provider: Provider = { provide: 'client', useFactory: () => client };
    const app = await start({ providers: [provider] });
    expect(requests).toEqual([]);
    expect(await app.get(RedlockService).run('works', () => 1)).toEqual({ ran: true, value: 1 });
  });
});

it('a registry of the application gets all arguments, and returns what it returns', async () => {
  const app = await start({ providers: [OwnRegistry] });
  const registry = app.get(OwnRegistry);
  let runs = 0;
  const job = new CronJob(ONCE_A_YEAR, async () => {
    await app.get(RedlockService).run('once', () => void runs++);
  });
  expect(registry.addCronJob('once', job, 'alice')).toBe('once of alice');
  await job.fireOnTick();
  await expect.poll(() => runs).toBe(1);
  // The second call is for the same tick.
  await job.fireOnTick();
  expect(await app.get(RedlockService).history('once')).toHaveLength(1);
});

it('a registry takes any object that has the methods that it needs', async () => {
  const app = await start({});
  const registry = app.get(SchedulerRegistry);
  let runs = 0;
  const foreign = { fireOnTick: () => void runs++, stop() {}, pause() {} };
  registry.addCronJob('foreign', foreign as unknown as CronJob);
  await registry.getCronJob('foreign').fireOnTick();
  expect(runs).toBe(1);
});

it('the error of a cron job that handles none is reported as unhandled', async () => {
  const ofTests = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const reported: unknown[] = [];
  process.on('unhandledRejection', (error) => reported.push(error));
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection');
    for (const listener of ofTests) process.on('unhandledRejection', listener);
  });
  const app = await start({});
  // As in `cron` before 4.3.5, which ignores what a callback returns.
  const callbacks = [() => Promise.reject(new Error('disk full'))];
  const job = {
    cronTime: new CronTime(ONCE_A_YEAR),
    _callbacks: callbacks,
    fireOnTick() {
      for (const callback of callbacks) void callback();
    },
  };
  const registry = app.get(SchedulerRegistry);
  registry.addCronJob('fails', job as unknown as CronJob);
  void registry.getCronJob('fails').fireOnTick();
  await expect.poll(() => reported).toEqual([new Error('disk full')]);
});
