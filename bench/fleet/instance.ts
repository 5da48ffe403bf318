import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { CronJob } from 'cron';
import { Redis } from 'ioredis';
import Redlock from 'redlock';
import type { Build } from '../builds.js';
import type { Instances } from './protocol.js';

/** Makes an instance run `work` if it wins the tick of the job. Resolves to why it did not; `undefined` if it did. */
export type Claim = (
  name: string,
  job: CronJob,
  work: () => Promise<void>,
  spread?: number,
) => Promise<string | undefined>;

/** An instance with `RedlockModule`, which opens its own connections. */
export async function startInstance(
  { RedlockModule, RedlockService }: Build['exports'],
  { urls: nodes, nodeTimeout }: Instances,
): Promise<Claim> {
  @Module({
    imports: [RedlockModule.forRoot(nodeTimeout === undefined ? { nodes } : { nodes, nodeTimeout })],
  })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const service = app.get(RedlockService);
  return async (name, job, work, spread) => {
    // A build that is compared may not know the option.
    const outcome = await service.run(name, work, spread === undefined ? { job } : { job, spread });
    return outcome.ran ? undefined : outcome.reason;
  };
}

/** What is usual: `acquire` of redlock 5 without retries, and a run for whoever gets the lock. */
export async function startRedlockInstance({ urls }: Instances): Promise<Claim> {
  const clients = urls.map((url) => new Redis(url));
  await Promise.all(clients.map((client) => client.ping()));
  const redlock = new Redlock(clients, { retryCount: 0 });
  return async (name, _job, work) => {
    const lock = await redlock.acquire([name], 30_000).catch(() => undefined);
    if (!lock) return 'elsewhere';
    await work();
    return undefined;
  };
}
