import { beforeEach, describe, expect, it } from 'vitest';
import { EventMemory } from '../../src/dashboard/event-memory.js';
import { FakeRedlock } from './fake-redlock.js';

const T = Date.UTC(2026, 5, 1, 12);

describe('what the events of an instance tell', () => {
  let redlock: FakeRedlock;
  let memory: EventMemory;
  const skip = (name: string): void => redlock.emit('skipped', { name, tick: new Date(T), reason: 'paused' });
  const jobs = Array.from({ length: 3000 }, (_one, number) => `job-${number}`);

  beforeEach(() => {
    redlock = new FakeRedlock();
    memory = new EventMemory(redlock);
  });

  it('names the jobs that had an event, not those that were asked about', () => {
    for (const name of jobs) memory.gapsOf(name);
    redlock.emit('started', { name: 'report' });
    skip('digest');
    expect([...memory.names]).toEqual(['report', 'digest']);
  });

  it('explains the gaps of a job, however many others ran before', () => {
    for (const name of jobs) redlock.emit('started', { name });
    skip('report');
    expect(memory.gapsOf('report')).toEqual([[T, T, 1, 'paused', 'skipped']]);
  });

  it('names the newest jobs, however many others ran before', () => {
    const others = Array.from({ length: 6000 }, (_one, number) => `other-${number}`);
    for (const name of others) redlock.emit('started', { name });
    expect([...memory.names]).toEqual(others.slice(1000));
    redlock.emit('started', { name: 'other-1000' });
    redlock.emit('started', { name: 'report' });
    expect([...memory.names].slice(-2)).toEqual(['other-1000', 'report']);
  });

  it('remembers ticks that are equally far apart as one gap, if the cause is the same', () => {
    const MINUTE = 60_000;
    const skipped = (minutes: number, reason: 'paused' | 'overlap'): void =>
      redlock.emit('skipped', { name: 'report', tick: new Date(T + minutes * MINUTE), reason });
    for (let minutes = 0; minutes < 600; minutes++) skipped(minutes, 'paused');
    skipped(600, 'overlap');
    skipped(602, 'overlap');
    skipped(603, 'overlap');
    expect(memory.gapsOf('report')).toEqual([
      [T, T + 599 * MINUTE, 600, 'paused', 'skipped'],
      [T + 600 * MINUTE, T + 602 * MINUTE, 2, 'overlap', 'skipped'],
      [T + 603 * MINUTE, T + 603 * MINUTE, 1, 'overlap', 'skipped'],
    ]);
  });

  it('keeps the newest gaps of a limited number of jobs', () => {
    skip('job-0');
    for (const name of jobs.slice(1, 2000)) skip(name);
    skip('job-0');
    skip('report');
    const known = [...jobs, 'report'].filter((name) => memory.gapsOf(name).length > 0);
    expect([known.length, known[0], known[1], known.at(-1)]).toEqual([2000, 'job-0', 'job-2', 'report']);
  });
});
