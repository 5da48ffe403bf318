import { absolute, relative } from '../model/words.js';
import { now } from '../state.js';

/** A time as seen from now; pointing at it shows the time itself. */
export function Relative({ at }: { at: number }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={absolute(at)}>
      {relative(at, now.value)}
    </time>
  );
}
