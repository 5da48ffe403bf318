import { type Drift, driftOf, established } from '../records/drift.js';
import type { ShownDrift } from './page-data.js';
import type { FleetInstance } from './redlock-data.js';

/** What the instances disagree on, as the page gets it. @param now In milliseconds since the epoch. */
export function shownDrift(fleet: readonly FleetInstance[], now: number): ShownDrift[] {
  const lasting = driftOf(established(fleet, now));
  const isLasting = (drift: Drift): boolean =>
    lasting.some(({ kind, name }) => kind === drift.kind && name === drift.name);
  return driftOf(fleet).flatMap((drift) => {
    const { kind, name, message, instances } = drift;
    // An instance that has been restarted with its `instanceId` is listed twice for a while.
    if (kind === 'instanceId' && !isLasting(drift)) return [];
    return [{ kind, name, message, instances, isLasting: isLasting(drift) }];
  });
}
