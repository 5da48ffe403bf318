import type { Verdict, ViolationKind } from '../fleet/judge.js';
import type { ChaosReport } from './run-chaos.js';

const KINDS: readonly ViolationKind[] = [
  'duplicate',
  'overlap',
  'missed',
  'order',
  'early',
  'not recovered',
  'pause lost',
  'pause invented',
  'trigger',
  'not caught up',
  'wrongly caught up',
  'miss invented',
  'miss misnamed',
];

/** Whether the promise held. */
export function isClean({ verdict, calm }: ChaosReport): boolean {
  return verdict.violations.length === 0 && calm.violations.length === 0 && calm.unrun === 0;
}

/** A report as a table. */
export function summaryOf({ verdict, calm, faults, stalls }: ChaosReport): string {
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const rows: [string, number | string][] = [
    ['ticks due', verdict.ticks],
    ['  that an instance owed', verdict.owed],
    ['  that were due in a pause', verdict.paused],
    ['ticks that had to be made up for', verdict.catchUps],
    ['missed ticks, as reported', verdict.reports],
    ['runs', verdict.runs],
    ['faults and orders', total],
    ...[...faults]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([kind, count]): [string, number] => [`  ${kind}`, count]),
    ['times that the proxies stood still', stalls.length],
    ['violations', verdict.violations.length],
    ...byKind(verdict),
    ['ticks due once all was calm', calm.ticks],
    ['  not run', calm.unrun],
    ['  violations', calm.violations.length],
  ];
  const texts = [...verdict.violations, ...calm.violations].map(
    ({ kind, job, text }) => `${kind}: ${job}, ${text}`,
  );
  return [...rows.map(([what, value]) => `${what.padEnd(50)}${String(value).padStart(7)}`), ...texts].join(
    '\n',
  );
}

function byKind({ violations }: Verdict): [string, number][] {
  return KINDS.map((kind) => [`  ${kind}`, violations.filter((each) => each.kind === kind).length]);
}
