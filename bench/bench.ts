/**
 * How fast this package is, and how much it asks of Redis: `npm run bench`. Starts its own Redis servers.
 *
 *     npm run bench -- [--quick] [--against COMMIT] [locks] [jobs:1000] [crowd:20x1000:one-node] …
 *
 * A name selects a group, or some of its settings; without any, everything is measured. `--quick` takes few rounds, to
 * see that it works. `--against` measures this build and that of a commit in turns, in one process (or two fleets side
 * by side), and fails if a figure is worse by more than 3 %, or, for the end of a run, by more than 10 %.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Logger } from '@nestjs/common';
import { buildOf, ROOT, thisBuild } from './builds.js';
import './clock.js';
import type { Bench, Group } from './group.js';
import { crowd, instances } from './groups/fleets.js';
import { jobs } from './groups/jobs.js';
import { locks } from './groups/locks.js';
import { shares } from './groups/shares.js';
import { starts } from './groups/starts.js';
import { ticks } from './groups/ticks.js';
import { describeMachine } from './machine.js';
import type { Row } from './measure.js';
import { growthOf } from './plot.js';
import { printGroup, printWorse } from './report.js';

const GROUPS: readonly Group[] = [locks, starts, jobs, instances, ticks, crowd, shares];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const all = GROUPS.flatMap((group) => group.settings.map((setting) => `${group.name}:${setting.name}`));
const isPartOf = (setting: string, name: string): boolean =>
  setting === name || setting.startsWith(`${name}:`);
for (const name of positionals) {
  if (all.some((setting) => isPartOf(setting, name))) continue;
  throw new Error(`Nothing is called ${name}. There are: ${all.join(', ')}`);
}
const selected = GROUPS.map((group) => ({
  ...group,
  settings: group.settings.filter(
    (setting) =>
      positionals.length === 0 || positionals.some((name) => isPartOf(`${group.name}:${setting.name}`, name)),
  ),
})).filter(({ settings }) => settings.length > 0);

// Exit, so that the child processes and the servers end, and the temporary folders are removed.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

console.log(describeMachine());
// With two builds, each would warn of the other.
Logger.overrideLogger(false);
const builds = [await thisBuild()];
const base = values.against === undefined ? undefined : await buildOf(values.against);
if (base) builds.push(base);
const bench: Bench = {
  builds,
  others: !base,
  rounds: (full) => (values.quick ? Math.ceil(full / 10) : full),
};

const results = new Map<string, Map<string, Row[]>>();
for (const group of selected) {
  const rows = new Map<string, Row[]>();
  results.set(group.name, rows);
  for (const setting of group.settings) {
    console.error(`… ${group.name}:${setting.name}`);
    rows.set(setting.name, await setting.measure(bench));
  }
  printGroup(group, rows, base?.name);
}

if (base) {
  if (printWorse(selected, results)) process.exitCode = 1;
} else if (positionals.length === 0) {
  // A quick pass must not replace the picture of a full run.
  const picture = values.quick ? 'build/scaling.svg' : 'docs/scaling.svg';
  writeFileSync(join(ROOT, picture), growthOf(results));
  console.log(`\nWritten: ${picture}`);
}
