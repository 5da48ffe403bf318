import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY = 30;
const GIVE_UP_AFTER = 60_000;

/** Waits until this process has had nothing to do for a while: no timers of earlier calls, no answers to come. */
export async function quiet(): Promise<void> {
  const begin = performance.now();
  for (let calm = 0; calm < 3 && performance.now() - begin < GIVE_UP_AFTER;) {
    const before = performance.now();
    await pause(LOOK_EVERY);
    calm = performance.now() - before < LOOK_EVERY + 10 ? calm + 1 : 0;
  }
}
