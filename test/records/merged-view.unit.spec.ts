import { describe, expect, it } from 'vitest';
import { describeRun, tokensOf } from '../../src/acquire/token.js';
import { DIED, type JobView } from '../../src/nodes/job-view.js';
import { mergedView } from '../../src/records/merged-view.js';
import { encodeRecord } from '../../src/records/run-record.js';

const NOW = 1000;

const token = (run: number): string =>
  tokensOf('a')(
    describeRun({ runId: `run ${run}`, trigger: 'schedule', calledAt: run * 1000, tick: run * 1000 }),
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
  return mergedView(views, views.length, NOW).records.map(({ runId, outcome }) => `${runId} ${outcome}`);
}

const running = (...views: JobView[]): string | undefined =>
  mergedView(views, views.length, NOW).running?.runId;

const pause = (version: number, isPaused: boolean, until?: number) => ({
  version,
  isPaused,
  detail: '',
  until,
});

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

describe('a run that was begun and never settled', () => {
  const without = view([finished(1)]);
  const begun = view([finished(1)], { begun: token(2) });
  const died = view([finished(3), `${DIED}${token(2)}`, finished(1)]);
  const others = view([finished(3), finished(1)]);

  it('has not died if most of the nodes deny that they had granted it', () => {
    expect(runs(begun, without, without)).toEqual(['run 1 finished']);
    expect(runs(died, others, others)).toEqual(['run 3 finished', 'run 1 finished']);
  });

  it('has died if most of the nodes know it, by the lock or by the records', () => {
    expect(runs(begun, died, others)).toEqual(['run 3 finished', 'run 2 died', 'run 1 finished']);
  });

  it('has died if the nodes that do not answer, or have forgotten, may know it', () => {
    const answers = [begun, without];
    expect(mergedView(answers, 3, NOW).records[0]).toMatchObject({ runId: 'run 2', outcome: 'died' });
    expect(runs(begun, without, view([]))).toEqual(['run 2 died', 'run 1 finished']);
    expect(runs(died, others, view([finished(3)]))[1]).toBe('run 2 died');
  });
});

it('a run is in progress if most of the nodes that answer say so', () => {
  const held = token(2);
  expect(running(view([], { holder: held }), view([], { holder: held }), view([]))).toBe('run 2');
  expect(running(view([], { holder: held }), view([]), view([]))).toBeUndefined();
  expect(running(view([], { holder: held }))).toBe('run 2');
  expect(running(view([], { holder: 'of the recipe' }))).toBeUndefined();
});

it('the newest settled tick and the newest pause count', () => {
  const merged = mergedView(
    [view([], { last: 1, pause: pause(2, false) }), view([], { last: 3, pause: pause(1, true) }), view([])],
    3,
    NOW,
  );
  expect(merged).toMatchObject({ last: 3, pause: { version: 2, isPaused: false } });
});

it.each([
  [2, 2],
  [1, 2],
])(
  'of a pause and its end with the versions %i and %i, the end counts, whichever node tells it',
  (first, second) => {
    const views = [view([], { pause: pause(first, true) }), view([], { pause: pause(second, false) })];
    expect(mergedView(views, 2, NOW).pause?.isPaused).toBe(false);
    expect(mergedView(views.toReversed(), 2, NOW).pause?.isPaused).toBe(false);
  },
);

describe('of what nodes say about a pause', () => {
  const paused = pause(1, true);
  const resumed = pause(1, false);
  const merged = (nodes: number, ...known: (ReturnType<typeof pause> | undefined)[]) =>
    mergedView(
      known.map((each) => view([], { pause: each })),
      nodes,
      NOW,
    ).pause;

  it('that counts which a majority of the nodes says, although a minority has a newer write', () => {
    expect(merged(3, paused, paused, pause(2, false))).toEqual(paused);
    expect(merged(3, resumed, pause(2, true), resumed)).toEqual(resumed);
    expect(merged(3, undefined, pause(2, true), undefined)).toBeUndefined();
  });

  it('that of a majority counts also if the newer write of a minority has ended by itself', () => {
    expect(merged(3, paused, paused, pause(2, true, NOW))).toEqual(paused);
    expect(merged(3, paused, pause(2, true, NOW), pause(2, true, NOW))).toEqual(pause(2, true, NOW));
  });

  it('the newest counts if nodes that do not answer may decide', () => {
    expect(merged(3, paused, pause(2, false))).toEqual(pause(2, false));
    expect(merged(3, resumed, pause(2, true))).toEqual(pause(2, true));
    expect(merged(5, resumed, resumed, pause(2, true))).toEqual(pause(2, true));
  });
});
