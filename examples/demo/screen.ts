/** What the demonstration shows: plain lines, so that they read well in a log; in colour where the terminal can. */
import { styleText } from 'node:util';
import type { InstanceProcess } from './instance-process.js';
import type { Tally } from './ticks.js';

// `hasColors` knows `NO_COLOR`.
const inColour = process.stdout.isTTY && process.stdout.hasColors();

export function showHeading(text: string): void {
  console.log(`\n${paint('bold', text)}`);
}

/** A tick, the instances that ran it, and the number of runs. */
export function showTick(
  tick: number,
  instances: readonly InstanceProcess[],
  whoRan: readonly string[],
): void {
  const cells = instances.map(({ name, alive }) => {
    if (whoRan.includes(name)) return paint('cyan', name);
    return alive ? '-' : 'x';
  });
  // An instance that was killed earlier has not run it.
  const wasKilled = instances.some(({ name, alive }) => !alive && whoRan.includes(name));
  const end = wasKilled ? paint('yellow', '; its instance was killed during the run') : '';
  console.log(`  ${timeOfDay(tick)}   ${cells.join(' ')}   ${verdict(whoRan.length)}${end}`);
}

export function showEvent(text: string): void {
  console.log(`  ${timeOfDay(Date.now())}   ${paint('yellow', text)}`);
}

export function showSummary(tallies: Record<string, Tally>): void {
  console.log();
  for (const [title, { ticks, runs, duplicates, missed }] of Object.entries(tallies)) {
    const columns = [`${ticks} ticks`, `${runs} runs`, `${duplicates} duplicates`, `${missed} missed`];
    console.log(`  ${title.padEnd(18)}${columns.map((column) => column.padStart(16)).join('')}`);
  }
}

export function showResult(passed: boolean): void {
  const text = passed
    ? 'With @Exclusive, each tick ran once.'
    : 'With @Exclusive, not every tick ran exactly once!';
  console.log(`\n${paint(passed ? 'green' : 'red', text)}`);
}

/** Where to look at the fleet, which runs on. */
export function showPage(address: string): void {
  showHeading('The fleet runs on until you press Ctrl-C. Its dashboard:');
  console.log(`  ${paint('cyan', address)}`);
}

function verdict(runs: number): string {
  if (runs === 0) return paint('red', 'did not run');
  return runs === 1 ? paint('green', 'ran once') : paint('red', `ran ${runs} times`);
}

function timeOfDay(moment: number): string {
  return new Date(moment).toTimeString().slice(0, 8);
}

function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return inColour ? styleText(style, text) : text;
}
