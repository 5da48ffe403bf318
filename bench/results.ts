import type { Machine } from './machine.js';
import type { ContentionResults } from './sections/contention.js';
import type { EnduranceResults } from './sections/endurance.js';
import type { JobResults } from './sections/jobs.js';
import type { LockResults } from './sections/locks.js';
import type { SlowNodeResults } from './sections/slow-node.js';
import type { StartResults } from './sections/starts.js';

/** Everything that was measured; times in milliseconds. */
export interface Results {
  readonly plan: 'full' | 'quick';
  readonly began: string;
  readonly machine: Machine;
  readonly locks: readonly LockResults[];
  readonly starts: StartResults;
  readonly jobs: JobResults;
  readonly contention: ContentionResults;
  readonly slowNode: SlowNodeResults;
  readonly endurance: EnduranceResults;
}
