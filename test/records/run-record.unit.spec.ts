import { describe, expect, it } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { DIED } from '../../src/nodes/job-view.js';
import { decodeRecord, encodeRecord, recordedError, type RunRecord } from '../../src/records/run-record.js';
import { VERSION } from '../../src/version.js';

const RECORD: Omit<RunRecord, 'package'> = {
  runId: 'run-1',
  tick: new Date('2031-05-07T09:30:00Z'),
  instanceId: 'worker#1/2',
  startedAt: new Date('2031-05-07T09:30:00.012Z'),
  duration: 1234,
  outcome: 'failed',
  error: 'Error: no paper',
  trigger: 'catch-up',
  schedule: 'a1b2c3d4',
};

describe('a run record', () => {
  it('is read as it was written, with the version that wrote it', () => {
    expect(decodeRecord(encodeRecord(RECORD))).toEqual({ ...RECORD, package: VERSION });
  });

  it('has nulls for what a plain call does not have', () => {
    const record = { ...RECORD, tick: null, error: null, schedule: null, trigger: 'call' as const };
    expect(decodeRecord(encodeRecord(record))).toEqual({ ...record, package: VERSION });
  });

  it('of a run that died is read from its token, also if the name of the instance looks like a part of it', () => {
    const run = {
      runId: 'run-1',
      trigger: 'schedule' as const,
      calledAt: 1_936_000_000_123,
      tick: 1_936_000_000_000,
    };
    const token = tokensOf('worker#1/2')(describeRun(run));
    expect(decodeRecord(`${DIED}${token}`)).toEqual({
      runId: 'run-1',
      tick: new Date(run.tick),
      instanceId: 'worker#1/2',
      startedAt: new Date(run.calledAt),
      duration: null,
      outcome: 'died',
      error: null,
      trigger: 'schedule',
      package: null,
      schedule: null,
    });
  });

  it.each(['', 'null', '7', '{}', '{"run":1}', '{"run":"x","at":1}', '[', `${DIED}another package`])(
    'is not what something else has written: %s',
    (text) => expect(decodeRecord(text)).toBeUndefined(),
  );
});

describe('the error in a run record', () => {
  it('is its name and its first line', () => {
    expect(recordedError(new TypeError('no paper\nin tray 2'))).toBe('TypeError: no paper');
    expect(recordedError('no paper')).toBe('no paper');
    expect(recordedError(null)).toBe('null');
  });

  it('has at most 200 characters, however long the error is', () => {
    const begin = performance.now();
    expect(recordedError(new Error('x'.repeat(1_000_000)))).toHaveLength(200);
    expect(recordedError('\u0000'.repeat(1_000_000)).length).toBeLessThanOrEqual(200);
    expect(performance.now() - begin).toBeLessThan(1000);
  });

  it('has no password of a URL', () => {
    const error = new Error('connect redis://worker:s3cret@db:6379 failed');
    expect(recordedError(error)).not.toContain('s3cret');
    expect(recordedError(new Error(`${'x'.repeat(980)} redis://worker:s3cret@db`))).not.toContain('s3c');
  });

  it('is there for whatever was thrown', () => {
    const hostile = Object.create(null) as object;
    expect(recordedError(hostile)).toBe('an object');
    const error = new Error('no paper');
    Object.defineProperty(error, 'message', {
      get() {
        throw new Error('gone');
      },
    });
    expect(recordedError(error)).toBe('an error that cannot be read');
    Object.defineProperty(error, 'message', { value: { toString: () => 'no paper' } });
    expect(recordedError(new Error('no paper', { cause: error }))).toBe('Error: no paper');
  });
});
