import { aheadDuring, type InstanceLife, type Span } from './conditions.js';
import type { Operation } from './history.js';

/** Nodes and instances tell the time differently by a few milliseconds. */
const CLOCK_SLACK = 50;

/** A pause, or the end of one. */
interface Change {
  readonly isPause: boolean;
  readonly asked: number;
  /** When it was confirmed; `undefined` if it was not, so that it may have been carried out or not. */
  readonly confirmed: number | undefined;
  /** Until when it may have been carried out. */
  readonly over: number;
  /** When it ends by itself. */
  readonly ends: Span;
}

/** What operators have done to one job, and what is certain because of it. */
export class Pauses {
  private readonly changes: readonly Change[];

  /** @param operations Those on the job, in the order of time. */
  constructor(operations: readonly Operation[], lives: ReadonlyMap<string, InstanceLife>) {
    this.changes = operations.filter(({ kind }) => kind !== 'trigger').map((each) => changeOf(each, lives));
  }

  /**
   * Whether the job was paused, or was not, all through a time. An operation that was not confirmed may have taken
   * effect, or may do so until another one is confirmed that was asked for later.
   */
  during({ from, until }: Span): 'paused' | 'running' | 'unknown' {
    const begun = this.changes.filter(({ asked }) => asked < until);
    const known = begun.findLast(({ confirmed }) => confirmed !== undefined && confirmed <= from);
    const since = known?.asked ?? Number.NEGATIVE_INFINITY;
    if (begun.some((change) => change !== known && change.over > since)) return 'unknown';
    if (!known?.isPause || from > known.ends.until + CLOCK_SLACK) return 'running';
    return until < known.ends.from - CLOCK_SLACK ? 'paused' : 'unknown';
  }
}

function changeOf(
  { kind, asked, answered, outcome, instance, for: duration = Infinity }: Operation,
  lives: ReadonlyMap<string, InstanceLife>,
): Change {
  const life = lives.get(instance);
  if (!life) throw new Error(`Nothing is known of instance ${instance}`);
  const over = answered ?? life.goneAt;
  const [least, most] = aheadDuring(life, { from: asked, until: over });
  return {
    isPause: kind === 'pause',
    asked,
    confirmed: outcome === 'done' ? answered : undefined,
    over,
    // By the clock of the instance that pauses it.
    ends: { from: asked + duration + least, until: over + duration + most },
  };
}
