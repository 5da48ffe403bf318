import type { Figure, Group } from './group.js';
import { ratiosOf, type Row, spreadOf } from './measure.js';

/** The rows of each setting that was measured, by the name of the setting. */
export type Results = ReadonlyMap<string, readonly Row[]>;

/** The largest ratio to the figure of the other commit that is allowed. */
const ALLOWED = 1.03;

/** Prints a group as a table, with ratios to the reference, or to the other build if there are two. */
export function printGroup(group: Group, results: Results, base?: string): void {
  const hasRatio = ({ ratio, compared = true }: Figure): boolean => (base ? compared : ratio === true);
  const figures = Object.entries(group.figures);
  const heading = figures.flatMap(([, figure]) => [
    figure.heading,
    ...(hasRatio(figure) ? [`to ${base ?? 'raw'}`] : []),
  ]);
  const lines = [...results].flatMap(([setting, rows]) => {
    const reference = rows.find(({ name, build }) => (base ? build === base : name === group.reference));
    return rows.map((row) => [
      `${setting}  ${row.name}${base ? ` (${row.build})` : ''}`,
      ...figures.flatMap(([name, figure]) => {
        const ratios = ratiosOf(row.rounds[name], reference?.rounds[name]);
        return [
          cellOf(row.rounds[name], figure.print),
          ...(hasRatio(figure) ? [cellOf(row === reference ? [] : ratios, ratioAndSpread)] : []),
        ];
      }),
    ]);
  });
  printTable(group.title, ['', ...heading], lines);
}

/**
 * Prints the figures of this build that are worse than those of the other one by more than is allowed, and those that
 * may be. The interval contains the true median of the ratios with a probability of 95 %. Returns whether any is worse.
 */
export function printWorse(groups: readonly Group[], results: ReadonlyMap<string, Results>): boolean {
  let worse = false;
  const lines: string[][] = [];
  for (const { name: group, figures } of groups) {
    for (const [setting, [ours, base]] of results.get(group) ?? []) {
      for (const [name, { heading, compared = true, allowed = ALLOWED }] of Object.entries(figures)) {
        const ratios = ratiosOf(ours?.rounds[name], base?.rounds[name]);
        const { low, high } = spreadOf(ratios).interval;
        if (ratios.length === 0 || !compared || high <= allowed) continue;
        worse ||= low > allowed;
        const interval = Number.isFinite(low) ? `${digits(low)} – ${digits(high)}` : 'too few rounds';
        const verdict = low > allowed ? 'WORSE' : 'unclear';
        lines.push([`${group}:${setting}  ${heading}`, ratioAndSpread(ratios), interval, verdict]);
      }
    }
  }
  printTable('Not certain to be within what is allowed', ['', 'ratio', 'interval of the median', ''], lines);
  return worse;
}

export function printTable(
  title: string,
  heading: readonly string[],
  lines: readonly (readonly string[])[],
): void {
  const widths = heading.map((_none, column) =>
    Math.max(...[heading, ...lines].map((line) => line[column]?.length ?? 0)),
  );
  console.log(`\n${title}`);
  for (const line of [heading, widths.map((width) => '─'.repeat(width)), ...lines]) {
    const cells = line.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    console.log(cells.join('  '));
  }
}

type Print = Figure['print'];

function cellOf(values: readonly number[] | undefined, print: Print): string {
  const known = values?.filter(Number.isFinite) ?? [];
  return known.length > 0 ? print(known) : '–';
}

/** The median, and the middle half of the rounds. */
export const times: Print = (values) => {
  const { median, p25, p75 } = spreadOf(values);
  return `${time(median)} (${time(p25)} – ${time(p75)})`;
};

const digits = (value: number): string => value.toFixed(3);
const ratioAndSpread: Print = (values) => {
  const { median, p25, p75 } = spreadOf(values);
  return `${digits(median)} (${digits(p25)} – ${digits(p75)})`;
};

/** The median; the smallest and the largest, where they differ. */
export const durations: Print = (values) => range(values, time);
export const counts: Print = (values) => range(values, (value) => value.toLocaleString('en'));

export const averages: Print = (values) => range(values, (value) => value.toFixed(1));
export const percentages: Print = (values) => range(values, (value) => `${(value * 100).toFixed(0)} %`);

/** Of all rounds together. */
export const sum: Print = (values) => values.reduce((total, value) => total + value, 0).toLocaleString('en');

/** The median. */
export const bytes: Print = (values) => `${(spreadOf(values).median / 1000).toFixed(1)} kB`;

function range(values: readonly number[], print: (value: number) => string): string {
  const { median, min, max } = spreadOf(values);
  return min === max ? print(median) : `${print(median)} (${print(min)} – ${print(max)})`;
}

function time(milliseconds: number): string {
  if (milliseconds < 1) return `${(milliseconds * 1000).toFixed(0)} µs`;
  return milliseconds < 1000 ? `${milliseconds.toPrecision(3)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
