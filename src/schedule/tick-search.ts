import type { CronTime } from 'cron';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** How far back to look for the latest tick, in milliseconds: about eight years, as far as `cron` looks ahead. */
const HORIZON = 8 * 366 * 24 * 60 * 60 * SECOND;
/** The longest period that occurs twice when clocks are set back, in milliseconds. */
const LONGEST_REPETITION = 180 * MINUTE;
/** Each step looks this many times as far back as the step before. */
const GROWTH = 4;

/**
 * Until when `cron` finds ticks, in milliseconds since the epoch: it looks eight years ahead of the date of this
 * machine, whatever moment it is asked about.
 */
export function searchLimit(): number {
  const date = new Date();
  return date.setFullYear(date.getFullYear() + 8);
}

/** Finds the ticks of a schedule by asking `cron`, which only looks ahead. */
export class TickSearch {
  private readonly zone: string;
  /** The latest repetition of an hour: when it begins, and the first tick from then on. */
  private repetition: { readonly begin: number; readonly tick: number } | undefined;

  constructor(private readonly cron: CronTime) {
    // To `cron`, an empty time zone is UTC.
    this.zone = cron.timeZone ?? zoneOfOffset(cron.utcOffset ?? 0);
  }

  /**
   * The latest tick up to `limit` and the next one, searched from scratch. Empty if there has been none. Each question
   * to `cron` can take a millisecond: two of them find the tick of a timer that fires on time, about five find that of
   * a regular schedule, and their number is logarithmic for any other.
   */
  around(limit: number): readonly number[] {
    return aroundBy((moment) => this.after(moment), limit);
  }

  /**
   * The tick after `moment`; infinity if it is further away than `cron` looks. While an hour occurs for the second
   * time, `cron` gives other answers than before that hour: times that have already fired in the first hour would be
   * due again. They are not ticks: a timer that `cron` set before that hour does not fire at them, and instances that
   * start later must agree with those that were up.
   */
  after(moment: number): number {
    try {
      const { at, offsetAt } = this.ask(moment);
      const begin = beginOfRepetition(at, offsetAt);
      return begin === undefined ? at : Math.max(at, this.firstSince(begin));
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }

  /** The first tick since the beginning of a repetition, as `cron` answers if it is asked before the repetition. */
  private firstSince(begin: number): number {
    if (this.repetition?.begin !== begin) {
      const [last] = aroundBy((moment) => this.answer(moment), begin - 1);
      this.repetition = { begin, tick: last === undefined ? begin : this.answer(last) };
    }
    return this.repetition.tick;
  }

  /**
   * What `cron` answers for `moment`. When daylight saving time ends and an hour occurs twice, `cron` uses the
   * occurrence that has the offset in force *now*. So while the change is still ahead, the answer for a `moment` just
   * after the change can be too early. Then `cron` is asked again with the offset of that moment, which selects the
   * second occurrence.
   */
  private ask(moment: number): { readonly at: number; readonly offsetAt: (moment: number) => number } {
    const start = new Date(moment);
    const next = this.cron.getNextDateFrom(start, this.zone);
    const offsetAt = (at: number): number => next.zone.offset(at);
    if (next.toMillis() > moment) return { at: next.toMillis(), offsetAt };
    return { at: this.cron.getNextDateFrom(start, zoneOfOffset(offsetAt(moment))).toMillis(), offsetAt };
  }

  /** The same; infinity if it is further away than `cron` looks. */
  private answer(moment: number): number {
    try {
      return this.ask(moment).at;
    } catch {
      return Number.POSITIVE_INFINITY;
    }
  }
}

/** See `TickSearch.around`. `after` returns the tick after a moment. */
function aroundBy(after: (moment: number) => number, limit: number): readonly number[] {
  const gapAfter = (tick: number): number => {
    const gap = after(tick) - tick;
    // Not a number if there is no tick within the horizon.
    return gap < HORIZON ? Math.max(gap, SECOND) : HORIZON;
  };
  // There is no tick later than `end`, up to and including `limit`.
  let end = limit;
  let reach = SECOND;
  let tick = after(limit - reach);
  // The last two ticks are probably as far apart as the next two.
  let gap = tick > limit ? gapAfter(tick) : HORIZON;
  while (tick > limit) {
    if (reach === HORIZON) return [];
    end = limit - reach;
    // By at least `gap`, not by exactly `gap`: if an hour has occurred twice, the latest tick can be further back.
    do reach = Math.min(reach * GROWTH, HORIZON);
    while (reach < gap);
    tick = after(limit - reach);
  }
  for (;;) {
    while (end - tick >= gap) {
      const middle = tick + (end - tick) / 2;
      const found = after(middle);
      if (found > limit) end = middle;
      else tick = found;
    }
    const next = after(tick);
    if (next > limit) return [tick, next];
    gap = next - tick;
    tick = next;
  }
}

/**
 * The moment when clocks were set back, if the time of day at `at` occurs for the second time; otherwise `undefined`.
 *
 * @param offsetAt The offset of the time zone at a moment, in minutes.
 */
function beginOfRepetition(at: number, offsetAt: (moment: number) => number): number | undefined {
  const offset = offsetAt(at);
  let before = at - LONGEST_REPETITION;
  const repeated = (offsetAt(before) - offset) * MINUTE;
  if (repeated <= 0) return undefined;
  let begin = at;
  while (begin - before > 1) {
    const middle = Math.floor((before + begin) / 2);
    if (offsetAt(middle) === offset) begin = middle;
    else before = middle;
  }
  return at < begin + repeated ? begin : undefined;
}

/** The time zone of a `utcOffset`, in minutes, as `cron` names it. */
export function zoneOfOffset(minutes: number): string {
  const hours = Math.trunc(minutes / 60);
  const rest = Math.abs(minutes - hours * 60);
  return `UTC${minutes < 0 ? '-' : '+'}${String(Math.abs(hours)).padStart(2, '0')}:${String(rest).padStart(2, '0')}`;
}
