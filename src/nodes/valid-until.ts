/** Clocks of different computers drift apart by at most this part of a lease, and keys end on a whole millisecond. */
const DRIFT = { factor: 0.01, milliseconds: 2 };

/** When a lease that was asked for at `asked` may end on the first of the nodes, in the worst case. */
export function validUntil(asked: number, ttl: number): number {
  return asked + ttl - ttl * DRIFT.factor - DRIFT.milliseconds;
}
