import { type DynamicModule, type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import type { Redis } from 'ioredis';
import type { NodeOption, RedlockService } from '../src/index.js';
import { type Build, OURS } from './builds.js';
import { startByHand } from './by-hand.js';
import { CronJobs } from './cron-jobs.js';
import type { Bench } from './group.js';
import type { Row, Subject } from './measure.js';
import { withServers } from './redis.js';

/** A Nest application with cron jobs that do nothing. */
export interface Application {
  readonly cronJobs: CronJobs;
  readonly close: () => Promise<void>;
}

/** Starts an application with a class of cron jobs, and whatever else it imports. */
export async function startApplication(
  cronJobs: CronJobs,
  imports: DynamicModule[] = [],
): Promise<Application & { readonly app: INestApplicationContext }> {
  @Module({ imports: [ScheduleModule.forRoot(), ...imports], providers: [cronJobs.type] })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  cronJobs.find(app.get(SchedulerRegistry));
  return { app, cronJobs, close: () => app.close() };
}

/** Starts one whose jobs are exclusive. */
export async function startExclusive(
  { name, exports: { Exclusive, RedlockModule, RedlockService } }: Build,
  nodes: readonly NodeOption[],
  jobs = 0,
): Promise<Application & { readonly service: RedlockService }> {
  const cronJobs = new CronJobs(jobs, (begin) => async () => begin(), Exclusive);
  const module = RedlockModule.forRoot({ nodes, keyPrefix: `bench-${name}` });
  const { app, ...application } = await startApplication(cronJobs, [module]);
  return { ...application, service: app.get(RedlockService) };
}

/** The subject that applications are compared with: one command for each job. */
export const RAW = 'raw SET NX PX';

/** After fewer calls, V8 has not yet compiled all the code that a call runs. */
export const WARM_UP_CALLS = 2000;

/** Starts an application of each build, and one by hand, on one node, for as long as `work` takes. */
export function withApplications(
  { builds, others }: Bench,
  jobs: number,
  work: (
    applications: readonly (Application & Pick<Subject, 'name' | 'build'>)[],
    client: Redis,
  ) => Promise<Row[]>,
): Promise<Row[]> {
  return withServers(1, async ([server], [client]) => {
    if (!server || !client) throw new Error('No server');
    const applications = [];
    for (const build of builds) {
      const application = await startExclusive(build, [server.url], jobs);
      applications.push({ ...application, name: OURS, build: build.name });
    }
    if (others) applications.push({ ...(await startByHand(client, jobs)), name: 'by hand' });
    const rows = await work(applications, client);
    for (const { close } of applications) await close();
    return rows;
  });
}
