/** An instance, as a process: one job, and a message to its parent at each event about ticks that did not run. */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';

/** What the process is told, in the environment variable `OBSERVED`. */
export interface ObservedSpec {
  readonly nodes: readonly string[];
  readonly instanceId: string;
}

/** What the process tells its parent. Times are in milliseconds since the epoch. */
export type ObservedMessage =
  | { readonly event: 'ready' }
  | { readonly event: 'started'; readonly tick: number }
  | { readonly event: 'overdue'; readonly from: number }
  | {
      readonly event: 'missed';
      readonly from: number;
      readonly to: number;
      readonly count: number;
      readonly cause: string;
    };

const spec = JSON.parse(process.env['OBSERVED'] ?? '') as ObservedSpec;
const tell = (message: ObservedMessage): void => void process.send?.(message);
/** How long the next runs take, in milliseconds, as the parent says. */
let work = 50;

@Injectable()
class Jobs {
  /** The events are listened to from here, because a tick can be due while the application is still starting. */
  constructor(redlock: RedlockService) {
    redlock.on('started', ({ tick }) => tell({ event: 'started', tick: tick?.getTime() ?? 0 }));
    redlock.on('overdue', ({ expected }) => tell({ event: 'overdue', from: expected.getTime() }));
    redlock.on('missed', ({ from, to, count, cause }) =>
      tell({ event: 'missed', from: from.getTime(), to: to.getTime(), count, cause }),
    );
  }

  @Cron('* * * * * *', { timeZone: 'UTC' })
  @Exclusive('report', { ttl: '2s', overdueAfter: '3s' })
  async report(): Promise<void> {
    await pause(work);
  }
}

@Module({
  imports: [
    ScheduleModule.forRoot(),
    RedlockModule.forRoot({ nodes: spec.nodes, instanceId: spec.instanceId, history: 200 }),
  ],
  providers: [Jobs],
})
class AppModule {}

await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
process.on('message', (message) => void (work = Number(message)));
process.once('disconnect', () => process.exit());
tell({ event: 'ready' });
