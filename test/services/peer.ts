/** Another instance, as a process of its own: one job, and a message to the parent at each event of it. */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Exclusive, type JobOptions, RedlockModule, RedlockService } from '../../src/index.js';

/** What the process is told, in the environment variable `PEER`. */
export interface PeerSpec {
  readonly url: string;
  readonly job: string;
  readonly when: string;
  /** How long a run takes, in milliseconds. */
  readonly work: number;
  readonly options?: JobOptions;
  /** Fires once as soon as it is ready, besides what the schedule says. */
  readonly fire?: boolean;
}

/** What the process tells its parent. */
export interface PeerMessage {
  readonly event: 'started' | 'finished' | 'failed' | 'skipped' | 'aborted';
  /** Of the tick, in milliseconds since the epoch. */
  readonly tick: number | null;
}

const spec = JSON.parse(process.env['PEER'] ?? '') as PeerSpec;

@Injectable()
class Jobs {
  @Cron(spec.when, { name: spec.job, timeZone: 'UTC' })
  @Exclusive(spec.job, spec.options ?? {})
  async work(): Promise<void> {
    await pause(spec.work);
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: spec.url })],
  providers: [Jobs],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
for (const event of ['started', 'finished', 'failed', 'skipped', 'aborted'] as const) {
  app.get(RedlockService).on(event, ({ tick }) => {
    const message: PeerMessage = { event, tick: tick && tick.getTime() };
    process.send?.(message);
  });
}
process.once('disconnect', () => process.exit());
process.send?.('ready');
if (spec.fire) void app.get(SchedulerRegistry).getCronJob(spec.job).fireOnTick();
