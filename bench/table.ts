import type { Spread } from './measure.js';

/** Prints rows under a heading, in columns; all but the first are set to the right. */
export function printTable(
  title: string,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const widths = heading.map((_none, column) =>
    Math.max(...[heading, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  console.log(`\n${title}`);
  console.log(line(heading));
  console.log(widths.map((width) => '─'.repeat(width)).join('  '));
  for (const row of rows) console.log(line(row));
}

/** A length of time, given in milliseconds. */
export function time(milliseconds: number): string {
  if (Number.isNaN(milliseconds)) return '–';
  if (milliseconds < 1) return `${(milliseconds * 1000).toFixed(0)} µs`;
  if (milliseconds < 1000)
    return `${milliseconds.toFixed(milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0)} ms`;
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** The median, and in brackets between what half of all rounds lay. */
export function times({ median, p25, p75 }: Spread): string {
  return `${time(median)} (${time(p25)} – ${time(p75)})`;
}

export function ratios({ median, p25, p75 }: Spread): string {
  return `${ratio(median)} (${ratio(p25)} – ${ratio(p75)})`;
}

export function ratio(value: number): string {
  return Number.isNaN(value) ? '–' : `${value.toFixed(2)} ×`;
}

export function count(value: number): string {
  return Number.isNaN(value)
    ? '–'
    : value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** The median; the smallest and the largest, where they differ. */
export function counts({ median, min, max }: Spread): string {
  return min === max ? count(median) : `${count(median)} (${count(min)} – ${count(max)})`;
}

export function bytes(value: number): string {
  const kilobytes = value / 1000;
  return Math.abs(kilobytes) < 1000 ? `${kilobytes.toFixed(1)} kB` : `${(kilobytes / 1000).toFixed(2)} MB`;
}
