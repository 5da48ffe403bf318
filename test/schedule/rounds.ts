/** Counts the rounds of the event loop until it is stopped. */
export function countRounds(): { readonly count: number; stop: () => void } {
  const rounds = { count: 0, stop: () => clearImmediate(next) };
  const again = (): void => {
    rounds.count++;
    next = setImmediate(again);
  };
  let next = setImmediate(again);
  return rounds;
}
