import { describe, expect, it } from 'vitest';
import { driftOf, established, ROLLOUT } from '../../src/records/drift.js';
import { decodeCard, encodeCard, type FleetInstance } from '../../src/records/fleet-card.js';

const NOW = Date.UTC(2031, 4, 7, 9, 30);
const job = (name: string, fingerprint: string, declaredAs = 'Jobs.run') => ({
  name,
  declaredAs,
  fingerprint,
});

function instance(instanceId: string, minutesUp: number, rest: Partial<FleetInstance> = {}): FleetInstance {
  return {
    instanceId,
    host: 'host',
    pid: 1,
    version: '1.0.0',
    startedAt: new Date(NOW - minutesUp * 60_000),
    nodes: ['a:1', 'b:2'],
    clockOffset: 0,
    jobs: [job('report', 'same')],
    ...rest,
  };
}

const keyOf = (...fleet: FleetInstance[]): string | undefined => driftOf(fleet)[0]?.key;
const names = (...fleet: FleetInstance[]): (string | null)[] => driftOf(fleet).map(({ name }) => name);

describe('instances drift apart', () => {
  it('if they declare a job with different schedules or options, and are named', () => {
    const [drift, ...others] = driftOf([
      instance('c', 20),
      instance('b', 30, { jobs: [job('report', 'other')] }),
      instance('a', 60),
    ]);
    expect(others).toEqual([]);
    expect(drift).toMatchObject({ name: 'report', instances: ['b'] });
    expect(drift?.message).toMatch(
      /"report" has different schedules, time zones or options \(compare jobs\(\), and TZ, on each instance\): "a" differs from "b"/,
    );
  });

  it('if different methods declare it, as two applications with one prefix do', () => {
    const [drift] = driftOf([
      instance('a', 60),
      instance('b', 30, { jobs: [job('report', 'same', 'Invoices.send')] }),
    ]);
    expect(drift?.message).toMatch(/is declared by different methods.*keyPrefix/);
  });

  it('if they use other nodes, in whatever order these are listed', () => {
    expect(names(instance('a', 60), instance('b', 30, { nodes: ['a:1', 'c:3'] }))).toEqual([null]);
    expect(names(instance('a', 60), instance('b', 30, { nodes: ['b:2', 'a:1'] }))).toEqual([]);
  });

  it('if several processes have the same instanceId, but not if a process imports the module several times', () => {
    const [drift, ...others] = driftOf([
      instance('a', 60),
      instance('b', 50),
      instance('a', 30, { pid: 2 }),
      instance('b', 20),
    ]);
    expect(others).toEqual([]);
    expect(drift).toMatchObject({ kind: 'instanceId', name: null, instances: ['a'] });
    expect(drift?.message).toMatch(/^Several processes have the same instanceId.*: "a"\. Give each its own/);
  });

  it('on the same thing whichever instances these are, and whichever is the first', () => {
    const declaring = (fingerprint: string) => ({ jobs: [job('report', fingerprint)] });
    const key = keyOf(instance('a', 60), instance('b', 30, declaring('other')));
    expect(keyOf(instance('c', 60, declaring('other')), instance('d', 30), instance('e', 20))).toBe(key);
    expect(keyOf(instance('a', 60), instance('b', 30, declaring('third')))).not.toBe(key);
    expect(
      keyOf(instance('a', 60), instance('b', 30, { jobs: [job('report', 'same', 'Other.run')] })),
    ).not.toBe(key);

    const nodes = keyOf(instance('a', 60), instance('b', 30, { nodes: ['c:3'] }));
    expect(keyOf(instance('c', 60, { nodes: ['c:3'] }), instance('d', 30))).toBe(nodes);
    expect(keyOf(instance('a', 60), instance('b', 30, { nodes: ['d:4'] }))).not.toBe(nodes);
  });

  it('not by declaring other jobs', () => {
    expect(names(instance('a', 60), instance('b', 30, { jobs: [job('import', 'other')] }))).toEqual([]);
    expect(names()).toEqual([]);
  });
});

it('an instance is established once a rolling update would be over', () => {
  const minutes = ROLLOUT / 60_000;
  const fleet = [instance('a', 60), instance('b', minutes), instance('c', minutes - 1)];
  expect(established(fleet, NOW)).toEqual(fleet.slice(0, 2));
});

it('a card is read as it was written, and nothing else is a card', () => {
  const card = instance('a', 60);
  expect(decodeCard(encodeCard(card))).toEqual(card);
  for (const text of ['', 'null', '{}', '{"jobs":7}']) expect(decodeCard(text)).toBeUndefined();
});

it.each(['instanceId', 'host', 'pid', 'version', 'startedAt', 'nodes', 'jobs'])(
  'a card without %s, which another version may have written, is no card',
  (field) => {
    const card = JSON.parse(encodeCard(instance('a', 60))) as Record<string, unknown>;
    expect(decodeCard(JSON.stringify({ ...card, [field]: undefined }))).toBeUndefined();
    expect(decodeCard(JSON.stringify({ ...card, [field]: [7] }))).toBeUndefined();
  },
);
