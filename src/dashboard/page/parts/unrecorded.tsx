import { type JobRow, unrecordedRun } from '../model/job-row.js';
import { Relative } from './time.js';

/** When a job without a run on record has last run. */
export function Unrecorded({ row }: { row: JobRow }) {
  const run = unrecordedRun(row);
  if (run === undefined) return <>–</>;
  return run === 'never' ? <>never</> : <Relative at={run} />;
}
