import type { FleetView, GapTuple } from './page-data.js';
import type { RedlockApi } from './redlock-api.js';

/** How many gaps to remember of a job, how many names of jobs, and how many reports of drift. */
const MOST = { gaps: 50, names: 2000, drift: 20 };
/** The reasons for skipping a tick that perhaps no other instance has run. */
const CAUSES = ['overlap', 'paused', 'store-down', 'overload'];

/** What only the events of this instance tell: why ticks were not run, and the jobs that no decorator names. */
export class EventMemory {
  private readonly gaps = new Map<string, GapTuple[]>();
  readonly drift: FleetView['drift'][number][] = [];

  constructor(redlock: RedlockApi) {
    redlock.on('started', ({ name }) => void this.gapsOf(name));
    redlock.on('skipped', ({ name, tick, reason }) => {
      if (tick && CAUSES.includes(reason)) this.note(name, [+tick, +tick, 1, reason]);
    });
    redlock.on('missed', ({ name, from, to, count, cause }) => this.note(name, [+from, +to, count, cause]));
    redlock.on('drift', ({ name, message }) => {
      this.drift.unshift({ at: Date.now(), name, message });
      this.drift.length = Math.min(this.drift.length, MOST.drift);
    });
  }

  /** The names of the jobs that have had an event. */
  get names(): Iterable<string> {
    return this.gaps.keys();
  }

  gapsOf(name: string): GapTuple[] {
    const gaps = this.gaps.get(name) ?? [];
    if (this.gaps.size < MOST.names) this.gaps.set(name, gaps);
    return gaps;
  }

  private note(name: string, gap: GapTuple): void {
    const gaps = this.gapsOf(name);
    gaps.push(gap);
    if (gaps.length > MOST.gaps) gaps.shift();
  }
}
