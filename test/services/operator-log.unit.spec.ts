import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OVERLOAD } from '../../src/acquire/outcome.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { OperatorLog } from '../../src/services/operator-log.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { LogSpy } from '../nodes/support.js';

let spy: LogSpy;
beforeEach(() => void (spy = new LogSpy()));
afterEach(() => spy.restore());

const TICK = { at: Date.UTC(2031, 0, 1), next: Date.UTC(2032, 0, 1), keep: 60_000 };

describe('an overload', () => {
  it('is one line for each of the first twenty jobs, one for all others, and the same an hour later', async () => {
    const clock = new ManualClock();
    const log = new OperatorLog([], resolveOptions({ nodes: 'memory' }), clock);
    const skipAll = (): void => {
      for (let job = 0; job < 500; job++) log.skipped(`job ${job}`, TICK, OVERLOAD, true);
    };
    skipAll();
    await clock.advance(59 * 60_000);
    skipAll();
    expect(spy.lines.filter((line) => line.includes('was not run by this instance'))).toHaveLength(20);
    expect(spy.lines.filter((line) => line.includes('Other jobs'))).toHaveLength(1);
    expect(spy.lines).toHaveLength(21);
    await clock.advance(60_000);
    skipAll();
    expect(spy.lines).toHaveLength(42);
  });

  it('does not end an outage: no quorum has voted', () => {
    const log = new OperatorLog([], resolveOptions({ nodes: 'memory' }), new ManualClock());
    log.quorumLost([new Error('connection refused')]);
    log.answered(OVERLOAD);
    expect(spy.lines.filter((line) => line.includes('again'))).toEqual([]);
    log.answered({ kind: 'denied', reason: 'elsewhere', causes: [] });
    expect(spy.lines.filter((line) => line.includes('again'))).toHaveLength(1);
  });
});
