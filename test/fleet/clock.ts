/**
 * A clock that is wrong, and can be set while the process runs: imported before everything else, it stands in front
 * of `Date`. Timers and `performance.now()` are not touched, as little as they are by a real clock that is set.
 */
const initial = Number(process.env['CLOCK_OFFSET'] ?? 0);
let offset = initial;

const RealDate = Date;

// A function expression, as `Date` must work with and without `new`.
const ShiftedDate = function (this: unknown, ...args: unknown[]): Date | string {
  if (new.target === undefined) return new RealDate(RealDate.now() + offset).toString();
  const given = args.length === 0 ? [RealDate.now() + offset] : args;
  return Reflect.construct(RealDate, given, new.target) as Date;
};
Object.setPrototypeOf(ShiftedDate, RealDate);
Object.defineProperty(ShiftedDate, 'prototype', { value: RealDate.prototype });
Object.defineProperty(ShiftedDate, 'now', { value: () => RealDate.now() + offset });
Reflect.set(globalThis, 'Date', ShiftedDate);

/** Sets the clock: `milliseconds` ahead of the one that the process began with. */
export function setClock(milliseconds: number): void {
  offset = initial + milliseconds;
}
