import type { Declaration, ShownDrift } from './page-data.js';
import type { FleetInstance } from './redlock-data.js';

/** How the instances declare a job, oldest instance first. @param fleet Oldest first. */
export function declarationsOf(
  name: string,
  fleet: readonly FleetInstance[],
  drift: readonly ShownDrift[],
): Declaration[] {
  const found = fleet.flatMap(({ instanceId, version, jobs }) =>
    jobs.flatMap((job) => {
      const { declaredAs, fingerprint } = job;
      return job.name === name ? [{ instanceId, version, declaredAs, fingerprint }] : [];
    }),
  );
  const isLasting = drift.some((each) => each.name === name && each.isLasting);
  return found.map((one) => {
    const isSame = one.declaredAs === found[0]?.declaredAs && one.fingerprint === found[0].fingerprint;
    if (isSame) return { ...one, differs: 'no' };
    return { ...one, differs: isLasting ? 'lasting' : 'now' };
  });
}
