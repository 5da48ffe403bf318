import { driftOf, established } from '../records/drift.js';
import type { ShownDrift } from './page-data.js';
import type { FleetInstance } from './redlock-data.js';

/** What the instances disagree on, as the page gets it. @param now In milliseconds since the epoch. */
export function shownDrift(fleet: readonly FleetInstance[], now: number): ShownDrift[] {
  const lasting = new Set(driftOf(established(fleet, now)).map(({ name }) => name));
  return driftOf(fleet).map(({ name, message, instances }) => ({
    name,
    message,
    instances,
    isLasting: lasting.has(name),
  }));
}
