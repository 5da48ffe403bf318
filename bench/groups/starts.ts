import { setTimeout as pause } from 'node:timers/promises';
import { RAW, WARM_UP_CALLS, withApplications } from '../application.js';
import { newMinute } from '../clock.js';
import type { Bench, Group } from '../group.js';
import { quiet, type Row, type Subject, takeTurns } from '../measure.js';
import { times } from '../report.js';

export const starts: Group = {
  name: 'starts',
  title:
    "From the scheduler's call to the first line of a method that does nothing, and from there on, on one node",
  reference: RAW,
  figures: {
    start: { heading: 'start', print: times, ratio: true },
    // Most of it is the settle.
    end: { heading: 'end', print: times, allowed: 1.1 },
  },
  settings: [
    { name: 'busy', measure: (bench) => measure(bench, 40, 0) },
    // As most ticks do, each call comes after a pause, in milliseconds.
    { name: 'paused', measure: (bench) => measure(bench, 10, 75) },
  ],
};

/** Fires each job once a round. Each round is one minute of the clock: no tick is missed, which would add work. */
function measure(bench: Bench, jobs: number, before: number): Promise<Row[]> {
  return withApplications(bench, jobs, async (applications, client) => {
    const subjects: Subject[] = applications.map(({ cronJobs, ...subject }) => {
      let next = 0;
      const once = async () => {
        const { last, over, missed } = await cronJobs.fire(next++ % jobs, 1);
        if (missed > 0) throw new Error('A job did not run');
        return { start: last, end: over };
      };
      return { ...subject, once };
    });
    let keys = 0;
    const once = async () => {
      const begin = performance.now();
      await client.set(`raw:${++keys}`, 'token', 'PX', 30_000, 'NX');
      return { start: performance.now() - begin };
    };
    if (bench.others) subjects.push({ name: RAW, once });
    await takeTurns(subjects, { rounds: WARM_UP_CALLS / jobs, batch: jobs, prepare: newMinute });
    await quiet();
    const measured = subjects.map((subject) => ({
      ...subject,
      once: before === 0 ? subject.once : () => pause(before).then(subject.once),
      rest: quiet,
    }));
    return takeTurns(measured, { rounds: bench.rounds(30), batch: jobs, prepare: newMinute });
  });
}
