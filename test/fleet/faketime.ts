import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARIES = '/usr/lib';
const SHARED_MEMORY = '/dev/shm';

/** Debian's libfaketime, where it is installed. */
export const FAKETIME_LIBRARY: string | undefined = findLibrary();

function findLibrary(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  return readdirSync(LIBRARIES)
    .map((folder) => join(LIBRARIES, folder, 'faketime', 'libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
}

/**
 * The environment for a process whose clock is wrong: by libfaketime where there is one, for that process as a whole;
 * else by `clock.ts`, for its `Date`. The monotonic clock stays right.
 *
 * @param offset By how many milliseconds the clock is ahead.
 */
export function clockEnvironment(offset: number): NodeJS.ProcessEnv {
  if (offset === 0) return {};
  if (FAKETIME_LIBRARY === undefined) return { CLOCK_OFFSET: String(offset) };
  const seconds = (offset / 1000).toFixed(3);
  return {
    LD_PRELOAD: FAKETIME_LIBRARY,
    FAKETIME: `${offset > 0 ? '+' : ''}${seconds}s`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/** Removes what libfaketime leaves behind of processes that were killed. */
export function forgetFakedProcesses(): void {
  if (FAKETIME_LIBRARY === undefined) return;
  for (const name of readdirSync(SHARED_MEMORY)) {
    const pid = /^(?:faketime_shm|sem\.faketime_sem)_(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(SHARED_MEMORY, name), { force: true });
  }
}
