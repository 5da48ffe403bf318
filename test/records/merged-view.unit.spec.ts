import { expect, it } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { DIED, type JobView } from '../../src/nodes/job-view.js';
import { mergedView } from '../../src/records/merged-view.js';
import { encodeRecord } from '../../src/records/run-record.js';

const token = (run: number): string =>
  tokensOf('a')(
    describeRun({ runId: `run ${run}`, trigger: 'schedule', startedAt: run * 1000, tick: run * 1000 }),
  );

const finished = (run: number): string =>
  encodeRecord({
    runId: `run ${run}`,
    tick: new Date(run * 1000),
    instanceId: 'a',
    startedAt: new Date(run * 1000),
    duration: 10,
    outcome: 'finished',
    error: null,
    trigger: 'schedule',
    schedule: null,
  });

const view = (records: readonly string[], rest: Partial<JobView> = {}): JobView => ({ records, ...rest });

function runs(...views: JobView[]): string[] {
  return mergedView(views).records.map(({ runId, outcome }) => `${runId} ${outcome}`);
}

const running = (...views: JobView[]): string | undefined => mergedView(views).running?.runId;

const pause = (version: number, isPaused: boolean) => ({ version, isPaused, detail: '', until: undefined });

it('each run is there once, the newest first, whichever node has its record', () => {
  expect(runs(view([finished(3), finished(1)]), view([finished(3), finished(2)]))).toEqual([
    'run 3 finished',
    'run 2 finished',
  ]);
});

it('a run has died if it was begun, holds no lock, and no node has another record of it', () => {
  expect(runs(view([finished(1)], { begun: token(2) }))).toEqual(['run 2 died', 'run 1 finished']);
  const held = token(2);
  expect(runs(view([finished(1)], { begun: held, holder: held }))).toEqual(['run 1 finished']);
  expect(runs(view([`${DIED}${token(2)}`]), view([finished(2)]))).toEqual(['run 2 finished']);
  expect(runs(view([finished(2)]), view([`${DIED}${token(2)}`]))).toEqual(['run 2 finished']);
});

it('a run whose record the other nodes have dropped has not died, although one node was down when it was settled', () => {
  const others = view([finished(9), finished(8)]);
  expect(runs(others, others, view([], { begun: token(1) }))).toEqual(['run 9 finished', 'run 8 finished']);
  expect(runs(others, others, view([finished(9), `${DIED}${token(1)}`]))).toEqual([
    'run 9 finished',
    'run 8 finished',
  ]);
});

it('a run is in progress if most of the nodes that answer say so', () => {
  const held = token(2);
  expect(running(view([], { holder: held }), view([], { holder: held }), view([]))).toBe('run 2');
  expect(running(view([], { holder: held }), view([]), view([]))).toBeUndefined();
  expect(running(view([], { holder: held }))).toBe('run 2');
  expect(running(view([], { holder: 'of the recipe' }))).toBeUndefined();
});

it('the newest settled tick and the newest pause count', () => {
  const merged = mergedView([
    view([], { last: 1, pause: pause(2, false) }),
    view([], { last: 3, pause: pause(1, true) }),
    view([]),
  ]);
  expect(merged).toMatchObject({ last: 3, pause: { version: 2, isPaused: false } });
});

it.each([
  [2, 2],
  [1, 2],
])(
  'of a pause and its end with the versions %i and %i, the end counts, whichever node tells it',
  (first, second) => {
    const views = [view([], { pause: pause(first, true) }), view([], { pause: pause(second, false) })];
    expect(mergedView(views).pause?.isPaused).toBe(false);
    expect(mergedView(views.toReversed()).pause?.isPaused).toBe(false);
  },
);
