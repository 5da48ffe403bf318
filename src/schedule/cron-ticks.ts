import { createHash } from 'node:crypto';
import type { CronTime } from 'cron';
import type { Clock } from '../clock.js';
import { shortestPeriod } from './shortest-period.js';
import { TickSearch, zoneOfOffset } from './tick-search.js';

/** One scheduled moment of a job. */
export interface Tick {
  /** The nominal time, in milliseconds since the epoch: its identity, the same on all instances. */
  readonly at: number;
  /** When the next tick is due, in milliseconds since the epoch; infinity if there is none. */
  readonly next: number;
  /** How long a late instance could still claim this tick, in milliseconds. */
  readonly keep: number;
}

/** A timer may fire a little early: a call up to this many milliseconds before a tick is for that tick. */
const TIMER_SLACK = 10;
/** If a call is earlier than the known ticks by more than this, in milliseconds, the clock was set back. */
const CLOCK_SET_BACK = 60_000;
/** Delay before upcoming ticks are computed, in milliseconds, so that the computation never delays a run. */
const PREPARE_AFTER = 50;
/**
 * How many upcoming ticks to compute in advance: `latest` needs a tick and its successor, because a tick is the latest
 * one only until its successor is due.
 */
const UPCOMING = 2;
/** How many ticks to remember at most. */
const MOST_KNOWN = 16;
const MINUTE = 60_000;
const YEAR = 366 * 24 * 60 * MINUTE;

/** The ticks of one schedule, computed by `cron` itself. */
export class CronTicks {
  /** Consecutive ticks, past or upcoming. */
  private known: readonly number[] = [];
  private readonly search: TickSearch;
  /**
   * The latest search by `next`: `at` is the first tick after `from`. Kept because it is repeated while a job is
   * overdue.
   */
  private searched = { from: 0, at: 0 };
  private isPreparing = false;
  private hash: string | undefined;
  private shortest: number | undefined;

  constructor(private readonly cron: CronTime) {
    this.search = new TickSearch(cron);
  }

  /** The expression, or the date as an ISO string. */
  get expression(): string {
    const { source } = this.cron;
    return typeof source === 'string' ? source : (source.toISO() ?? '');
  }

  /** The time zone; `null` for that of the process. An offset is written as `UTC+02:00`. */
  get timeZone(): string | null {
    const { timeZone, utcOffset } = this.cron;
    return timeZone ?? (utcOffset === undefined ? null : zoneOfOffset(utcOffset));
  }

  /** Tells schedules apart. For one without a time zone, it depends on that of the process: instances may differ. */
  get fingerprint(): string {
    return (this.hash ??= this.computeFingerprint());
  }

  /** The latest tick up to `now` plus a few milliseconds; `undefined` if there has been none. */
  latest(now: number): Tick | undefined {
    return this.upTo(now + TIMER_SLACK);
  }

  /** The tick before `tick`; `undefined` if there is none. */
  tickBefore(tick: Tick): Tick | undefined {
    return this.upTo(tick.at - 1);
  }

  private upTo(limit: number): Tick | undefined {
    if (this.cron.realDate) return this.onlyTick(limit);
    const known = this.knownAround(limit);
    if (known.length > 0) return tickOf(known);
    const found = this.search.around(limit);
    this.remember(found, limit);
    return tickOf(found);
  }

  /** The time of the tick before the tick `at`; `undefined` if there is none. */
  timeBefore(at: number): number | undefined {
    const index = this.known.indexOf(at);
    if (index > 0) return this.known[index - 1];
    if (this.cron.realDate) return undefined;
    const [tick, next] = this.search.around(at - 1);
    // All jobs of this schedule ask the same.
    if (tick !== undefined && next === this.known[0] && this.known.length < MOST_KNOWN)
      this.known = [tick, ...this.known];
    return tick;
  }

  /** Whether it is known, without a search, that no tick is between `last` and the tick `at`. */
  areConsecutive(last: number, at: number): boolean {
    const before = this.known[this.known.indexOf(at) - 1];
    return before !== undefined && before <= last;
  }

  /** A lower bound of the time between two ticks (see `shortestPeriod`), in milliseconds; infinity for a date. */
  get period(): number {
    return (this.shortest ??= shortestPeriod(this.cron));
  }

  /** The first tick after `now`; infinity if there is none. */
  next(now: number): number {
    if (!this.cron.realDate) return this.knownAround(now)[1] ?? this.searchedNext(now);
    const at = this.onlyTick(Number.POSITIVE_INFINITY)?.at ?? Number.NaN;
    return at > now ? at : Number.POSITIVE_INFINITY;
  }

  private searchedNext(now: number): number {
    const { from, at } = this.searched;
    if (from <= now && now < at) return at;
    const found = this.search.after(now);
    // How far `cron` looks depends on the date of this machine, so the answer that there is none is not remembered.
    if (Number.isFinite(found)) this.searched = { from: now, at: found };
    return found;
  }

  /**
   * Asks `cron` for one more of the upcoming ticks, so that `latest` only looks them up. `cron` takes about a
   * millisecond for each.
   *
   * @returns Whether another call could compute more.
   */
  prepare(now: number): boolean {
    if (this.cron.realDate) return false;
    const limit = now + TIMER_SLACK;
    const due = this.known.findLastIndex((tick) => tick <= limit);
    // Keeps the one before the due tick: `areConsecutive` needs it to tell whether ticks were missed.
    if (due > 1) this.known = this.known.slice(due - 1);
    if (this.known.filter((tick) => tick > limit).length >= UPCOMING) return false;
    const last = this.known.at(-1) ?? limit;
    const next = this.search.after(last);
    if (!Number.isFinite(next)) return false;
    // If the instance has slept through many ticks, it goes on with the upcoming ones.
    this.known = next <= limit ? [] : [...this.known, next];
    return true;
  }

  /** Prepares the upcoming ticks a moment later, in turns. Requests that come before that has ended are ignored. */
  prepareSoon(clock: Clock): void {
    if (this.isPreparing) return;
    this.isPreparing = true;
    clock.setTimeout(() => void this.prepareInTurns(clock), PREPARE_AFTER).unref();
  }

  private async prepareInTurns(clock: Clock): Promise<void> {
    do await clock.turn();
    while (this.prepare(clock.now()));
    this.isPreparing = false;
  }

  private computeFingerprint(): string {
    const zone = this.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    return createHash('sha1').update(`${this.expression} ${zone}`).digest('hex').slice(0, 8);
  }

  /**
   * The known ticks, beginning with the latest one that is not after `limit`; empty unless that one and the next one
   * are known.
   */
  private knownAround(limit: number): readonly number[] {
    const index = this.known.findIndex((tick, i) => tick <= limit && limit < (this.known[i + 1] ?? tick));
    return index === -1 ? [] : this.known.slice(index);
  }

  private remember(found: readonly number[], limit: number): void {
    const [tick, next] = found;
    const [first] = this.known;
    if (tick === undefined || next === undefined || !Number.isFinite(next)) return;
    if (next === first) this.known = [tick, ...this.known].slice(0, MOST_KNOWN);
    // `next` was not prepared, but `tick` is known.
    else if (tick === this.known.at(-1)) this.known = [...this.known.slice(-2), next];
    // The known ticks are replaced, unless the call was delayed, or the clock was set back a little.
    else if (first === undefined || limit >= first || limit < first - CLOCK_SET_BACK) this.known = found;
  }

  private onlyTick(limit: number): Tick | undefined {
    const { source } = this.cron;
    const at = typeof source === 'string' ? Number.NaN : source.toMillis();
    return at <= limit ? { at, next: Number.POSITIVE_INFINITY, keep: YEAR } : undefined;
  }
}

function tickOf([at, following]: readonly number[]): Tick | undefined {
  if (at === undefined || following === undefined) return undefined;
  return { at, next: following, keep: Math.min(Math.max(following - at, MINUTE), YEAR) };
}
