import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';

const HOUR = 3_600_000;

let clock: ManualClock;
beforeEach(() => void (clock = new ManualClock(newYear().getTime())));

@Injectable()
class Jobs {
  readonly runs: number[] = [];

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<void> {
    this.runs.push(clock.elapsed());
  }
}

/** What comes of a tick whose node has a clock that is behind, first by `behind` milliseconds. */
async function fireBehind(behind: number) {
  let offset = -behind;
  const node = new MemoryNode(() => clock.now() + offset);
  const claim = vi.spyOn(node, 'claim');
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes: node }, providers: [Jobs], logger, clock });
  const reasons: string[] = [];
  app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
  const firing = fire(app, 'report');
  const warnings = (): string[] => logger.at('warn').filter((line) => line.includes('"report"'));
  return { firing, runs: app.get(Jobs).runs, reasons, claim, warnings, setRight: () => void (offset = 0) };
}

describe('a clock of the node that is behind', () => {
  it('by some seconds delays a tick until it is due there', async () => {
    const { firing, runs, claim } = await fireBehind(3000);
    await clock.until(firing);
    expect(runs).toEqual([3000]);
    expect(claim).toHaveBeenCalledTimes(2);
  });

  it('by an hour, and set right after a second, delays a tick by five seconds', async () => {
    const { firing, runs, setRight } = await fireBehind(HOUR);
    await clock.advance(1000);
    setRight();
    await clock.until(firing);
    expect(runs).toEqual([5000]);
  });

  it('by an hour skips the tick after 30 s, with a reason and a warning', async () => {
    const { firing, runs, reasons, warnings } = await fireBehind(HOUR);
    await clock.advance(29_999);
    expect(reasons).toEqual([]);
    await clock.until(firing);
    expect(clock.elapsed()).toBe(30_000);
    expect(runs).toEqual([]);
    expect(reasons).toEqual(['early']);
    expect(warnings()).toEqual([expect.stringContaining('by the clocks of the nodes it is not due yet')]);
  });
});
