import { RAW, WARM_UP_CALLS, withApplications } from '../application.js';
import { newMinute } from '../clock.js';
import type { Bench, Group } from '../group.js';
import { quiet, type Row, type Subject, takeTurns } from '../measure.js';
import { sum, times } from '../report.js';

export const SIZES = [10, 100, 1000, 10_000];

export const jobs: Group = {
  name: 'jobs',
  title: 'Jobs of one instance on the same tick, until all have started, on one node',
  reference: RAW,
  figures: {
    last: { heading: 'last start', print: times, ratio: true },
    missed: { heading: 'missed', print: sum },
  },
  settings: SIZES.map((size) => ({ name: `${size}`, measure: (bench) => measure(bench, size) })),
};

function measure(bench: Bench, size: number): Promise<Row[]> {
  return withApplications(bench, size, async (applications, client) => {
    const subjects: Subject[] = applications.map(({ cronJobs, ...subject }) => {
      return { ...subject, once: () => cronJobs.fire() };
    });
    let round = 0;
    const once = async () => {
      const begin = performance.now();
      round++;
      const keys = Array.from({ length: size }, (_none, job) => `raw:${round}:${job}`);
      await Promise.all(keys.map((key) => client.set(key, 'token', 'PX', 30_000, 'NX')));
      return { last: performance.now() - begin };
    };
    if (bench.others) subjects.push({ name: RAW, once });
    const warmUp = Math.max(3, WARM_UP_CALLS / size);
    await takeTurns(subjects, { rounds: warmUp, prepare: newMinute });
    await quiet();
    const measured = subjects.map((subject) => ({ ...subject, rest: quiet }));
    return takeTurns(measured, { rounds: bench.rounds(size < 10_000 ? 30 : 5), prepare: newMinute });
  });
}
