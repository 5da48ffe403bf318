import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { ResolvedJobOptions } from '../../src/options/options.js';
import { KnownJobs } from '../../src/services/known-jobs.service.js';

const named = (name: string) => ({ name, options: {} as ResolvedJobOptions });

it('a declared job is remembered, however many names that depend on arguments come and go', () => {
  const jobs = new KnownJobs(systemClock);
  const called = jobs.add(named('called, then declared'), 1000);
  jobs.add(named('first'), 1000);
  const declared = jobs.declare(named('declared'), 1000);
  expect(jobs.declare(named('called, then declared'), 1000)).toBe(called);
  for (let tenant = 0; tenant < 10_000; tenant++) jobs.add(named(`tenant ${tenant}`), 1000);
  expect(jobs.get('first')).toBeUndefined();
  expect(jobs.get('tenant 0')).toBeDefined();
  expect(jobs.add(named('declared'), 1000)).toBe(declared);
  expect(jobs.get('called, then declared')).toBe(called);
  expect(jobs.all()).toHaveLength(10_002);
});

it('a job that is called again and again is remembered, however many names come and go', () => {
  const jobs = new KnownJobs(systemClock);
  const busy = jobs.add(named('busy'), 1000);
  for (let tenant = 0; tenant < 10_000; tenant++) {
    jobs.add(named(`tenant ${tenant}`), 1000);
    jobs.add(named('busy'), 1000);
  }
  expect(jobs.get('busy')).toBe(busy);
  expect(jobs.get('tenant 0')).toBeUndefined();
});

it('each job is gone through once, though it is called meanwhile', () => {
  const jobs = new KnownJobs(systemClock);
  for (const name of ['a', 'b']) jobs.add(named(name), 1000);
  const names: string[] = [];
  for (const { name } of jobs.all()) {
    if (names.push(name) < 10) jobs.add(named(name), 1000);
  }
  expect(names).toEqual(['a', 'b']);
});
