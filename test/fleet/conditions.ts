/**
 * Under which conditions a history came about: who was there, with which clock, and which nodes could vote. All
 * moments are milliseconds on the monotonic clock, where nothing else is said.
 */

/** A stretch of time. */
export interface Span {
  readonly from: number;
  /** `Infinity` where it has not ended. */
  readonly until: number;
}

/** One process of the fleet, from its start to its end. */
export interface InstanceLife {
  readonly name: string;
  /** From when it was ready to when it was asked to stop, or died: it owes ticks in that time. */
  readonly up: Span;
  /** When the process was gone. */
  readonly goneAt: number;
  /** Whether it died with no chance to give anything back. */
  readonly killed: boolean;
  /** When it was suspended. */
  readonly pauses: readonly Span[];
  /** The jobs that have `recover` here: it leaves their ticks to others when it dies, and takes those of others over. */
  readonly recovering: readonly string[];
  /** By how many milliseconds its clock was ahead of the real one, and since when. */
  readonly clock: readonly { readonly since: number; readonly ahead: number }[];
}

/** A time in which one node could not be relied on. */
export interface NodeFault extends Span {
  /** Which of the nodes, from 0 on. */
  readonly node: number;
}

/** What the judge knows of one job. */
export interface JobRule {
  readonly name: string;
  readonly kind: 'cron' | 'interval';
  /** The time between two ticks, in milliseconds. */
  readonly period: number;
  /** The lease, in milliseconds. */
  readonly ttl: number;
  /** Whether its latest missed tick is made up for. */
  readonly catchesUp: boolean;
}

export interface Conditions {
  /** The ticks that are due in this time are judged. */
  readonly window: Span;
  /** What the wall clock says, in milliseconds since the epoch, when the monotonic clock says 0. */
  readonly epoch: number;
  readonly jobs: readonly JobRule[];
  readonly instances: readonly InstanceLife[];
  readonly nodeCount: number;
  readonly nodeFaults: readonly NodeFault[];
  /**
   * The moments at which the network forgot all connections to a node that was well itself. They excuse no tick: a claim
   * that meets silence is asked again over a new connection, within its time, unless a crowd takes that time. Only a
   * settle can come later.
   */
  readonly forgotten: readonly NodeFault[];
  /** When the instances had many other claims to make, so that a claim could be late. Default: never. */
  readonly crowds?: readonly Span[];
}

export function touches(a: Span, b: Span): boolean {
  return a.from < b.until && b.from < a.until;
}

/** How long a scheduler needs, in addition to one period, to find its step again after its clock was set. */
const STEP_TIME = 2000;
/** How exactly it is known when a clock was set. */
const CLOCK_BLUR = 250;

/** A time in which the clock of an instance went on evenly, and by how much it was ahead. */
export interface ClockPhase extends Span {
  readonly ahead: number;
}

/** The times in which the scheduler of an instance was in step with its clock, for jobs with this period. */
export function clockPhases(life: InstanceLife, period: number): ClockPhase[] {
  return evenPhases(life).map((phase, index) =>
    index === 0 ? phase : { ...phase, from: phase.from + STEP_TIME + period },
  );
}

/** The times in which the clock of an instance was not set. */
export function evenPhases({ clock }: InstanceLife): ClockPhase[] {
  return clock.map(({ since, ahead }, index) => ({
    ahead,
    from: since,
    until: clock[index + 1]?.since ?? Infinity,
  }));
}

/** By how much the clock of an instance can have been ahead in a time, at least and at most. */
export function aheadDuring(
  life: InstanceLife,
  { from, until }: Span,
): readonly [least: number, most: number] {
  const blurred = { from: from - CLOCK_BLUR, until: until + CLOCK_BLUR };
  const values = evenPhases(life).flatMap((phase) => (touches(phase, blurred) ? [phase.ahead] : []));
  return [Math.min(...values), Math.max(...values)];
}

/** Whether an instance ran without a break through all of `span`. */
export function isUp({ up, pauses }: InstanceLife, span: Span): boolean {
  return up.from <= span.from && span.until <= up.until && !pauses.some((pause) => touches(pause, span));
}

/** Whether the same majority of the nodes could be relied on all through `span`. */
export function hasQuorum({ nodeCount, nodeFaults }: Conditions, span: Span): boolean {
  return isMajorityWell(nodeCount, nodeFaults, span);
}

/** Whether, in addition, their connections were not forgotten in that time, so that they answered at once. */
export function hasPromptQuorum({ nodeCount, nodeFaults, forgotten }: Conditions, span: Span): boolean {
  return isMajorityWell(nodeCount, [...nodeFaults, ...forgotten], span);
}

function isMajorityWell(nodeCount: number, faults: readonly NodeFault[], span: Span): boolean {
  const out = new Set(faults.filter((fault) => touches(fault, span)).map(({ node }) => node));
  return nodeCount - out.size > nodeCount / 2;
}
