import { randomUUID } from 'node:crypto';
import { systemClock } from '../clock.js';
import { shown } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { callback, readOrRefuse } from '../checks.js';
import {
  DIED,
  type JobKeyNames,
  type JobView,
  type Pause,
  PAUSE_RETENTION,
  type Register,
} from './job-view.js';
import {
  type Claim,
  type Conflict,
  EARLY_CLAIM_TOLERANCE,
  type History,
  LAST_TICK_RETENTION,
  type LockNode,
  type Marker,
  type NodeReport,
  TAKEOVER_WINDOW,
  type Vote,
} from './lock-node.js';
import { ExpiringEntries } from './expiring-entries.js';
import { isInForce, isNewer } from './pause-order.js';

/** A clock that throws `InvalidOptionError` unless it tells the time; it is read once to find out. */
function checkedClock(clock: () => number): () => number {
  const where = 'new MemoryNode()';
  callback(where, 'clock', clock);
  const read = (): number => {
    const now: unknown = readOrRefuse(where, 'clock', clock);
    if (Number.isFinite(now)) return now as number;
    const problem = `must return milliseconds since the epoch, not ${shown(now)}`;
    throw new InvalidOptionError(where, 'clock', problem);
  };
  read();
  return read;
}

/**
 * A voting node in memory, for tests, development and single-instance applications. Two applications in one process
 * that share a `MemoryNode` exclude each other; two processes never do.
 *
 * @example
 * RedlockModule.forRoot({ nodes: new MemoryNode() })
 */
export class MemoryNode implements LockNode {
  readonly address: string;
  private readonly identity = randomUUID();
  private readonly entries: ExpiringEntries;
  private readonly now: () => number;

  /**
   * @param clock The current time, in milliseconds since the epoch; a test moves it by hand. Default: `Date.now` for
   * when a tick is due, and the monotonic clock for how long a key lives.
   * @throws InvalidOptionError if `clock` is not a function that returns a number.
   */
  constructor(clock?: () => number) {
    const checked = clock === undefined ? undefined : checkedClock(clock);
    this.now = checked ?? systemClock.now;
    this.entries = new ExpiringEntries(checked ?? systemClock.elapsed);
    this.address = `memory:${this.identity.slice(0, 8)}`;
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    const answer = this.judge(claim, token);
    if (answer.kind !== 'granted') return Promise.resolve(answer);
    this.entries.sweep();
    this.lease(claim, token, ttl);
    if (claim.tick && !claim.tick.recover) this.entries.write(claim.tick.key, token, claim.tick.keep);
    if (claim.every) this.entries.write(claim.every.key, token, claim.every.keep);
    const unfinished = claim.history && this.begin(claim.history, token);
    return Promise.resolve(unfinished === undefined ? answer : { ...answer, unfinished });
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    if (this.isTaken(claim, token)) return Promise.resolve(false);
    this.lease(claim, token, ttl);
    return Promise.resolve(true);
  }

  settle(claim: Claim, token: string, record?: string): Promise<boolean> {
    const held = this.entries.removeIfHeld(claim.lock, token);
    const { tick, history } = claim;
    if (history?.begun !== undefined) this.entries.removeIfHeld(history.begun, token);
    if (history && record !== undefined) this.record(history, record);
    if (tick && (this.entries.read(tick.key) ?? token) === token) {
      this.entries.write(tick.key, token, tick.keep);
      if (!(this.settledTick(tick.last) >= tick.at)) {
        const keep = Math.max(tick.keep + LAST_TICK_RETENTION, history?.keep ?? 0);
        this.entries.write(tick.last, String(tick.at), keep);
      }
    }
    return Promise.resolve(held);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    const { lock, tick, every, history } = claim;
    const held = this.entries.read(lock) === token;
    if (tick?.isTakeover) {
      this.entries.setTtlIfHeld(lock, token, TAKEOVER_WINDOW);
      this.entries.setTtlIfHeld(tick.key, token, LAST_TICK_RETENTION);
    } else {
      this.entries.removeIfHeld(lock, token);
      if (tick) this.entries.removeIfHeld(tick.key, token);
    }
    if (every) this.entries.removeIfHeld(every.key, token);
    if (history?.begun !== undefined) this.entries.removeIfHeld(history.begun, token);
    return Promise.resolve(held);
  }

  look({ lock, last, begun, records, pause }: JobKeyNames, limit: number): Promise<JobView> {
    const settled = this.settledTick(last);
    return Promise.resolve({
      holder: this.entries.read(lock),
      last: Number.isNaN(settled) ? undefined : settled,
      begun: this.entries.read(begun),
      pause: this.pauseAt(pause),
      records: this.recordsAt(records).slice(0, limit),
    });
  }

  pause(key: string, pause?: Pause): Promise<Pause | undefined> {
    const known = this.pauseAt(key);
    if (pause && (!known || isNewer(pause, known))) {
      const { until = Number.POSITIVE_INFINITY } = pause;
      this.entries.write(key, JSON.stringify(pause), until + PAUSE_RETENTION - this.now());
    }
    return Promise.resolve(this.pauseAt(key));
  }

  register({ entries }: Register, id: string, keep: number, content?: string): Promise<boolean> {
    const key = `${entries} ${id}`;
    const known = content ?? this.entries.read(key);
    if (known !== undefined) this.entries.write(key, known, keep);
    return Promise.resolve(known !== undefined);
  }

  registered({ entries }: Register): Promise<readonly string[]> {
    return Promise.resolve(this.entries.valuesOf(`${entries} `));
  }

  open(): Promise<NodeReport> {
    const clockOffset = this.now() - systemClock.now();
    return Promise.resolve({ identity: this.identity, warnings: [], clockOffset });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private judge({ lock, tick, every, pause, loserCounter }: Claim, token: string): Vote {
    let holder = this.entries.read(lock);
    let dead: string | undefined;
    const last = tick ? this.settledTick(tick.last) : Number.NaN;
    if (tick) {
      const ahead = last - this.now();
      if (last >= tick.at)
        return ahead > EARLY_CLAIM_TOLERANCE ? { kind: 'settled', ahead } : { kind: 'settled' };
      const wait = tick.at - this.now();
      const isUnbegun = tick.isTakeover && !tick.isBegunElsewhere && !this.entries.entry(tick.key);
      if (wait > EARLY_CLAIM_TOLERANCE) return isUnbegun ? { kind: 'unbegun' } : { kind: 'early', wait };
    }
    const isPaused = pause !== undefined && isInForce(this.pauseAt(pause), this.now());
    if (isPaused && holder !== token) return { kind: 'paused' };
    if (tick) {
      const runner = this.entries.entry(tick.key);
      const mustBeBegun = tick.isTakeover && !(tick.isBegunElsewhere && last > 0);
      if (mustBeBegun && !runner) return { kind: 'unbegun' };
      if (runner && runner.value !== token) {
        if (!runner.isRecoverable || !tick.recover)
          return this.conflict('elsewhere', runner.value, loserCounter);
        const lease = this.entries.left(runner) - LAST_TICK_RETENTION;
        if (lease > 0) return this.conflict('elsewhere', runner.value, loserCounter, lease);
        dead = runner.value;
        if (holder === dead) holder = undefined;
      }
    }
    const starter = every && this.entries.entry(every.key);
    if (every && starter && starter.value !== token && starter.value !== dead) {
      // The marker may have been written for a longer time, for example while the clock was ahead.
      this.entries.shorten(starter, every.keep);
      return this.conflict(starter.value === holder ? 'elsewhere' : 'ran', starter.value, loserCounter);
    }
    if (holder !== undefined && holder !== token) return this.conflict('overlap', holder, loserCounter);
    return { kind: 'granted', dead, last: Number.isNaN(last) ? undefined : last };
  }

  /** Notes that a run has begun. Returns the token of an earlier one that never settled. */
  private begin(history: History, token: string): string | undefined {
    if (history.begun === undefined) return undefined;
    const before = this.entries.read(history.begun);
    this.entries.write(history.begun, token, history.keep);
    if (before === undefined || before === token) return undefined;
    this.record(history, `${DIED}${before}`);
    return before;
  }

  private record({ records: key, limit, keep }: History, record: string): void {
    const records = this.recordsAt(key);
    if (records[0] !== record)
      this.entries.write(key, JSON.stringify([record, ...records].slice(0, limit)), keep);
  }

  private recordsAt(key: string): string[] {
    return JSON.parse(this.entries.read(key) ?? '[]') as string[];
  }

  private pauseAt(key: string): Pause | undefined {
    const value = this.entries.read(key);
    return value === undefined ? undefined : (JSON.parse(value) as Pause);
  }

  /** Whether this claim has lost what it was granted: another claim has or had it, or the tick is settled. */
  private isTaken({ lock, tick, every, mayOverlap }: Claim, token: string): boolean {
    const isOther = (key: string): boolean => (this.entries.read(key) ?? token) !== token;
    if (isOther(lock) || (tick && !tick.recover && isOther(tick.key))) return true;
    const marker = tick?.recover && this.entries.entry(tick.key);
    const isOver = marker && this.entries.left(marker) <= LAST_TICK_RETENTION;
    if (marker && !(marker.isRecoverable && (marker.value === token || isOver))) return true;
    const last = tick ? this.settledTick(tick.last) : Number.NaN;
    const isNewerTickAllowed = mayOverlap || this.entries.read(lock) !== undefined;
    if (tick && (isNewerTickAllowed ? last === tick.at : last >= tick.at)) return true;
    return every !== undefined && !mayOverlap && isOther(every.key);
  }

  /** Writes the lock and, with `recover`, the marker: the lock outlives the lease by a second, the marker by a day. */
  private lease({ lock, tick }: Claim, token: string, ttl: number): void {
    this.entries.write(lock, token, tick?.recover ? ttl + TAKEOVER_WINDOW : ttl);
    if (tick?.recover) this.entries.write(tick.key, token, ttl + LAST_TICK_RETENTION, true);
  }

  private conflict(kind: Conflict['kind'], holder: string, counter?: Marker, lease?: number): Conflict {
    if (!counter) return { kind, holder, lease };
    const counted = this.entries.entry(counter.key);
    const rank = Number(counted?.value ?? 0) + 1;
    this.entries.write(counter.key, String(rank), counted ? this.entries.left(counted) : counter.keep);
    return { kind, holder, lease, rank };
  }

  private settledTick(key: string): number {
    return Number(this.entries.read(key) ?? Number.NaN);
  }
}
