import type { Mark } from '../model/marks.js';
import { absolute, duration, relative } from '../model/words.js';
import { now } from '../state.js';
import { LABELS, Shape } from './shapes.js';

const CAUSES: Readonly<Record<string, string>> = {
  died: 'a run begun then or earlier died',
  'store-down': 'there was no quorum of the nodes',
  overload: 'too many claims at once',
};

/** Events are not kept: an instance knows only those since its start. */
const NO_CAUSE =
  'Cause not known: no run is on record, and the instance that answered has heard no event about it';

/** What is known of one mark, line by line. */
export function factsOf(mark: Mark): string[] {
  const { kind, at, begin, end, isTick, instance, trigger, error, cause, count } = mark;
  const late = isTick && begin !== undefined ? begin - at : 0;
  const until = begin === undefined ? undefined : (end ?? (kind === 'running' ? now.peek() : undefined));
  const heading = kind === 'running' ? 'Running for' : 'Took';
  return [
    `${isTick ? 'Tick of' : 'Call at'} ${absolute(at)} (${relative(at, now.peek())})`,
    ...(count === undefined ? [] : [`Stands for ${count} ticks`]),
    ...(instance === undefined ? [] : [`On ${instance}`]),
    ...(until === undefined || begin === undefined
      ? []
      : [`${heading} ${duration(Math.max(0, until - begin))}`]),
    ...(late >= 1000 ? [`Began ${duration(late)} late`] : []),
    ...(trigger === undefined || trigger === 'schedule' ? [] : [`Trigger: ${trigger}`]),
    ...(kind === 'missed' ? [cause === undefined ? NO_CAUSE : `Cause: ${CAUSES[cause] ?? cause}`] : []),
    ...(error ? [error] : []),
  ];
}

export function MarkDetails({ name, mark }: { name: string; mark: Mark }) {
  return (
    <>
      <b class="line">
        <Shape kind={mark.kind} /> {LABELS[mark.kind]} <span class="name">{name}</span>
      </b>
      {factsOf(mark).map((fact) => (
        <span key={fact}>{fact}</span>
      ))}
    </>
  );
}
