import { describe, expect, it } from 'vitest';
import type { Json, Overview } from '../../src/dashboard/page-data.js';
import type { Job } from '../../src/dashboard/page/model/marks.js';
import { cursorsWith, merged } from '../../src/dashboard/page/model/merge.js';
import { jobOf, runOf, statusOf } from './job-of.js';

const T = Date.UTC(2026, 5, 1, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type Jobs = Json<Overview>['jobs'];

const answerOf = (readAt: number, ...jobs: Job[]): Jobs => jobs.map((job) => [readAt, job]);

const rowsOf = (...answers: Jobs[]) =>
  answers.reduce((rows, one) => merged(rows, one), merged(new Map(), answerOf(0)));

describe('an answer of the server', () => {
  it('replaces what it contains, and keeps the rest', () => {
    const rows = rowsOf(
      answerOf(1, jobOf({ name: 'a' }), jobOf({ name: 'b' })),
      answerOf(2, jobOf({ name: 'a', runs: [runOf(T)] })),
    );
    expect([...rows.values()].map(({ name, last, readAt }) => [name, last?.at, readAt])).toEqual([
      ['a', T, 2],
      ['b', undefined, 1],
    ]);
  });

  it('is ignored where another instance has answered with something newer', () => {
    const isPaused = statusOf({
      paused: {
        by: 'web-1',
        at: new Date(T).toISOString(),
        since: new Date(T).toISOString(),
        until: null,
        note: null,
      },
    });
    const rows = rowsOf(answerOf(2, jobOf({ status: isPaused })), answerOf(1, jobOf()));
    expect(rows.get('report')?.job.status?.paused).not.toBeNull();
  });

  it('says nothing about the ticks since the job was read', () => {
    const job = jobOf({ runs: [runOf(T)], ticks: [T + MINUTE, T + 2 * MINUTE] });
    const rows = rowsOf(answerOf(T + 90_000, job));
    expect(rows.get('report')?.marks.map(({ kind }) => kind)).toEqual(['ran', 'missed', 'due']);
  });

  it('does not take away the runs and gaps that the nodes have forgotten since', () => {
    const before = jobOf({ runs: [runOf(T)], gaps: [[T - MINUTE, T - MINUTE, 1, 'paused', 'skipped']] });
    const rows = rowsOf(answerOf(1, before), answerOf(2, jobOf({ runs: [runOf(T + MINUTE)] })));
    expect(rows.get('report')?.marks.map(({ kind }) => kind)).toEqual(['paused', 'ran', 'ran']);
  });

  it('shows a run once that was taken for dead, and then settled', () => {
    const [runId, tick, begin, ...rest] = runOf(T, 90_000, 'aborted');
    const died = jobOf({ runs: [[runId, tick, begin - 4, null, 'died', 'web-1', 'schedule', null]] });
    const rows = rowsOf(answerOf(1, died), answerOf(2, jobOf({ runs: [[runId, tick, begin, ...rest]] })));
    expect(rows.get('report')?.marks.map(({ kind }) => kind)).toEqual(['aborted']);
  });

  it('cannot make a row grow without end', () => {
    const answers = Array.from({ length: 20 }, (_one, number) =>
      answerOf(
        number,
        jobOf({ runs: Array.from({ length: 50 }, (_run, index) => runOf(T + number * HOUR - index)) }),
      ),
    );
    const rows = rowsOf(...answers);
    expect(rows.get('report')?.marks).toHaveLength(500);
    expect(rows.get('report')?.last?.at).toBe(T + 19 * HOUR);
  });

  it('replaces the cursor of its instance', () => {
    expect(cursorsWith(cursorsWith(cursorsWith([], 'a.1'), 'b.1'), 'a.22')).toEqual(['a.22', 'b.1']);
  });
});
