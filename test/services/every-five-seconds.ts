import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Exclusive, RedlockService } from '../../src/index.js';

/** In milliseconds. */
export const PERIOD = 5000;

interface Run {
  readonly tick: number;
  readonly at: number;
}

export const runs: Run[] = [];

/** A job that makes up for missed ticks. */
@Injectable()
export class Jobs {
  constructor(private readonly redlock: RedlockService) {}

  @Cron('*/5 * * * * *')
  @Exclusive('report', { missed: 'once' })
  async report(): Promise<void> {
    runs.push({ tick: this.redlock.current()?.tick?.getTime() ?? 0, at: Date.now() });
    await pause(20);
  }
}

/** Waits until `milliseconds` after the next tick, or after the one that follows, if that is too soon. */
export async function afterTick(milliseconds: number): Promise<number> {
  const tick = (Math.floor(Date.now() / PERIOD) + 1) * PERIOD;
  await pause(tick + milliseconds - Date.now());
  return tick;
}
