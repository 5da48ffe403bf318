import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ALONE, NodeLog } from '../../src/nodes/node-log.js';
import { claimOf, LogSpy } from './support.js';

const HOUR = 60 * 60 * 1000;
const MORE = expect.stringContaining('other jobs, which the log does not name') as string;

let log: LogSpy;
let node: NodeLog;
beforeEach(() => {
  vi.useFakeTimers();
  log = new LogSpy();
  node = new NodeLog('Redis Cluster', ALONE);
});
afterEach(() => {
  log.restore();
  vi.useRealTimers();
});

/** Each of them is refused. @returns What the log says of that. */
function linesAbout(...names: string[]): string[] {
  const before = log.lines.length;
  for (const name of names) node.refusingClaim(claimOf(name), 'why', '', 'answer');
  return log.lines.slice(before);
}

function orders(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `order-${first + index}`);
}

it('names twenty of the jobs that a node refuses, and says once that there are more', () => {
  const lines = linesAbout(...orders(0, 30), ...orders(0, 30));
  expect(lines).toHaveLength(21);
  expect(lines[19]).toContain('cannot grant the lock of "JOB_LOCKER_order-19"');
  expect(lines[20]).toEqual(MORE);
});

it('names other jobs again once those have not been refused for an hour, also if they are never claimed again', () => {
  linesAbout(...orders(0, 30));
  vi.advanceTimersByTime(HOUR - 1);
  expect(linesAbout('report')).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(linesAbout('report')).toEqual([expect.stringContaining('"JOB_LOCKER_report"')]);
  node.answered(claimOf('report'), { step: 'claim', wrote: true });
  expect(log.lines.at(-1)).toContain('can grant the lock of "JOB_LOCKER_report" again');
});

it('names at most twenty jobs an hour if each of them is refused once', () => {
  for (let minute = 0; minute < 180; minute++) {
    linesAbout(...orders(10 * minute, 10));
    vi.advanceTimersByTime(HOUR / 60);
  }
  expect(log.lines.length).toBeLessThanOrEqual(3 * 21);
});

it('names a job that is refused all the time only once', () => {
  linesAbout('report', ...orders(0, 20));
  for (let minute = 0; minute < 120; minute++) {
    vi.advanceTimersByTime(HOUR / 60);
    expect(linesAbout('report', `order-${100 + minute}`)).not.toContainEqual(
      expect.stringContaining('"JOB_LOCKER_report"'),
    );
  }
});
