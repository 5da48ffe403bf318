import type { FleetView, GapTuple } from './page-data.js';
import type { RedlockApi } from './redlock-api.js';

/** What is remembered, at most: gaps of one job, jobs with gaps, names of jobs, and reports of drift. */
const MOST = { gaps: 50, jobs: 2000, names: 5000, drift: 20 };
/** The reasons to skip a tick that perhaps no other instance has run either. */
const REASONS = ['overlap', 'paused', 'store-down', 'overload'];

/** What only the events of this instance tell: why ticks were not run, and the jobs that no decorator names. */
export class EventMemory {
  /**
   * The gaps, by the name of the job. Each new gap moves its job to the end, so the first job has gone longest without
   * one.
   */
  private readonly gaps = new Map<string, readonly GapTuple[]>();
  private readonly heard = new Set<string>();
  readonly drift: FleetView['reports'][number][] = [];

  constructor(redlock: RedlockApi) {
    redlock.on('started', ({ name }) => this.hear(name));
    redlock.on('skipped', ({ name, tick, reason }) => {
      if (tick && REASONS.includes(reason)) this.note(name, [+tick, +tick, 1, reason, 'skipped']);
    });
    redlock.on('missed', ({ name, from, to, count, cause }) =>
      this.note(name, [+from, +to, count, cause, 'missed']),
    );
    redlock.on('drift', ({ kind, name, message }) => {
      this.drift.unshift({ at: Date.now(), kind, name, message });
      this.drift.length = Math.min(this.drift.length, MOST.drift);
    });
  }

  /** The names of the jobs that have begun a run here, have a gap, or were the target of an action. */
  get names(): Iterable<string> {
    return this.heard;
  }

  /** Remembers a name. The one that has gone longest without an event is forgotten first. */
  hear(name: string): void {
    this.heard.delete(name);
    this.heard.add(name);
    const [oldest = name] = this.heard;
    if (this.heard.size > MOST.names) this.heard.delete(oldest);
  }

  gapsOf(name: string): readonly GapTuple[] {
    return this.gaps.get(name) ?? [];
  }

  private note(name: string, gap: GapTuple): void {
    this.hear(name);
    const known = this.gapsOf(name);
    const last = known.at(-1);
    const joined = last && joinedGap(last, gap);
    const gaps = (joined ? [...known.slice(0, -1), joined] : [...known, gap]).slice(-MOST.gaps);
    this.gaps.delete(name);
    this.gaps.set(name, gaps);
    const [oldest = name] = this.gaps.keys();
    if (this.gaps.size > MOST.jobs) this.gaps.delete(oldest);
  }
}

/** Both gaps as one, if all of its ticks are equally far apart: an hour of pause would fill the memory otherwise. */
function joinedGap(last: GapTuple, gap: GapTuple): GapTuple | undefined {
  const [from, to, count, cause, told] = last;
  const [next, , , why, how] = gap;
  if (told === 'missed' || how === 'missed' || why !== cause || next <= to) return undefined;
  const isEven = count === 1 || next - to === (to - from) / (count - 1);
  return isEven ? [from, next, count + 1, cause, told] : undefined;
}
