import type { TestingModuleBuilder } from '@nestjs/testing';
import { InvalidOptionError } from '../errors.js';
import { anything, callback, type Check, checkedOptions, date, wholeNumber } from '../checks.js';
import type { NodeOption } from '../options/options.js';
import { searchLimit } from '../schedule/tick-search.js';

/** How a `TestFleet` differs from the application. */
export interface TestFleetOptions {
  /** The number of instances to start. Default: 2. */
  instances?: number | undefined;
  /**
   * The initial time of the fleet's clock: at most eight years from the date of this machine, because `cron` finds no
   * later ticks. Default: the current time.
   */
  now?: Date | undefined;
  /**
   * Where the locks live, such as `'redis://localhost:6379'`. Redis has its own clock: `fire` waits for up to 30 s
   * until the tick is due by that clock; a later tick is skipped as `'early'`. Leases and timeouts take real time.
   * Default: memory that the instances share, on the fleet's clock.
   */
  nodes?: NodeOption | readonly NodeOption[] | undefined;
  /** Overrides parts of an instance before it starts: `(app) => app.overrideProvider(Mailer).useValue(mailer)`. */
  override?: ((app: TestingModuleBuilder, instance: number) => unknown) | undefined;
}

/** More instances than this in one process are a mistake. */
const MOST_INSTANCES = 1000;

/** A time at which the clock of a fleet can be. */
export const fleetTime: Check<Date> = (where, option, value) => {
  const time = date(where, option, value);
  const limit = searchLimit();
  if (time.getTime() >= 0 && time.getTime() <= limit) return time;
  const range = `must be from 1970 to ${new Date(limit).toISOString()}`;
  throw new InvalidOptionError(
    where,
    option,
    `${range}: cron finds no ticks more than eight years after the date of this machine`,
    { received: value },
  );
};

const FLEET_CHECKS = {
  instances: wholeNumber(1, MOST_INSTANCES),
  now: fleetTime,
  // Checked with the other options of the module.
  nodes: anything,
  override: callback,
} satisfies Record<keyof TestFleetOptions, Check<unknown>>;

/**
 * The options, checked.
 *
 * @throws InvalidOptionError for an invalid or unknown option.
 */
export function checkedFleetOptions(where: string, options: TestFleetOptions): TestFleetOptions {
  return checkedOptions(where, options, FLEET_CHECKS) as TestFleetOptions;
}

/** Whether Nest can import it: a class, a dynamic module, a promise of one, or a forward reference. */
export function isModule(value: unknown): boolean {
  if (typeof value === 'function') return typeof value.prototype === 'object';
  const { module, forwardRef, then } = Object(value) as Record<string, unknown>;
  return [module, forwardRef, then].some((part) => typeof part === 'function');
}
