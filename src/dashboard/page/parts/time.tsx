import { absolute, due, relative } from '../model/words.js';
import { now } from '../state.js';

/** A time as seen from now; pointing at it shows the time itself. */
export function Relative({ at }: { at: number }) {
  return <Time at={at} words={relative} />;
}

/** When a tick is due. */
export function Due({ at }: { at: number }) {
  return <Time at={at} words={due} />;
}

function Time({ at, words }: { at: number; words: typeof relative }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={absolute(at)}>
      {words(at, now.value)}
    </time>
  );
}
