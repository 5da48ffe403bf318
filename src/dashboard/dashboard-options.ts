import type {
  CanActivate,
  DynamicModule,
  InjectionToken,
  ModuleMetadata,
  OptionalFactoryDependency,
  Type,
} from '@nestjs/common';
import { InvalidOptionError } from '../errors.js';
import { boolean, callback, type Check, checkedOptions, list, text } from '../checks.js';

/** What the page allows. With `forRootAsync`, this is what the factory returns. */
export interface RedlockDashboardSettings {
  /** Offers to pause, resume and run jobs. Default: `false`: the page is read-only. */
  actions?: boolean | undefined;
  /**
   * With `true`, the application starts in production (`NODE_ENV=production`) even without `guards`: something else
   * protects the page, or everybody may see it. With `false`, it refuses to start there without `guards`. Default:
   * `false`.
   */
  public?: boolean | undefined;
}

/** Where the page is, and who may see it. */
export interface RedlockDashboardMount {
  /** The path of the page, below the global prefix. Default: `'jobs'`. */
  path?: string | undefined;
  /** Who may see the page, and use its actions: classes of guards, or guards. Default: none. */
  guards?: readonly (Type<CanActivate> | CanActivate)[] | undefined;
  /** The modules that provide what the guards inject. Default: none. */
  imports?: NonNullable<ModuleMetadata['imports']> | undefined;
}

/** Options of `RedlockDashboardModule.forRoot`. */
export interface RedlockDashboardOptions extends RedlockDashboardMount, RedlockDashboardSettings {}

/** Options of `RedlockDashboardModule.forRootAsync`. */
export interface RedlockDashboardAsyncOptions extends RedlockDashboardMount {
  /** What the factory gets as arguments. Default: nothing. */
  inject?: readonly (InjectionToken | OptionalFactoryDependency)[] | undefined;
  /** Called once when the application starts. */
  useFactory: (...args: never[]) => RedlockDashboardSettings | Promise<RedlockDashboardSettings>;
}

/** @internal */
export interface ResolvedSettings {
  readonly actions: boolean;
}

const WHERE = 'RedlockDashboardModule';

const pathCheck: Check<string> = (where, option, value) => {
  const trimmed = text('jobs')(where, option, value).replace(/^\/|\/$/g, '');
  if (/^[\w.~-]+(\/[\w.~-]+)*$/.test(trimmed)) return trimmed;
  throw new InvalidOptionError(where, option, "must be a path without parameters, such as 'admin/jobs'", {
    received: value,
  });
};

const guardsCheck: Check<RedlockDashboardMount['guards']> = (where, option, value) =>
  list(where, option, value).map((guard, index) => {
    const instance = typeof guard === 'function' ? (guard.prototype as unknown) : guard;
    if (typeof Reflect.get(Object(instance), 'canActivate') === 'function') return guard as CanActivate;
    const right = 'must be a guard, or the class of one (with the method canActivate)';
    throw new InvalidOptionError(where, `${option}[${index}]`, right, { received: guard });
  });

const SETTINGS = { actions: boolean, public: boolean };
const MOUNT = { path: pathCheck, guards: guardsCheck, imports: list };

type CheckedMount = Omit<Required<RedlockDashboardMount>, 'imports'> & {
  readonly imports: NonNullable<DynamicModule['imports']>;
};

/** @internal */
export function checkedForRoot(options: unknown): CheckedMount & { settings: RedlockDashboardSettings } {
  const { path, guards, imports, ...settings } = checkedOptions(WHERE, options, { ...MOUNT, ...SETTINGS });
  return { ...mountOf({ path, guards, imports }), settings };
}

/** @internal */
export function checkedForRootAsync(
  options: unknown,
): CheckedMount & Required<Pick<RedlockDashboardAsyncOptions, 'inject' | 'useFactory'>> {
  const where = `${WHERE}.forRootAsync()`;
  const checked = checkedOptions(
    where,
    options,
    { ...MOUNT, inject: list, useFactory: callback },
    (option) => (option in SETTINGS ? 'return it from useFactory' : undefined),
  );
  const useFactory = callback(
    where,
    'useFactory',
    checked.useFactory,
  ) as RedlockDashboardAsyncOptions['useFactory'];
  return { ...mountOf(checked), inject: (checked.inject ?? []) as InjectionToken[], useFactory };
}

/**
 * Fills in the defaults. Refuses a page without guards in production, unless it is public.
 *
 * @internal
 */
export function resolveSettings(settings: unknown, hasGuards: boolean): ResolvedSettings {
  const checked = checkedOptions(WHERE, settings, SETTINGS);
  if (process.env.NODE_ENV === 'production' && !hasGuards && !checked.public) {
    throw new InvalidOptionError(
      WHERE,
      'guards',
      'must not be empty in production: anybody could see the page. Set a guard, or public: true',
    );
  }
  return { actions: checked.actions ?? false };
}

function mountOf(checked: {
  path?: string;
  guards?: RedlockDashboardMount['guards'];
  imports?: readonly unknown[];
}): CheckedMount {
  const { path = 'jobs', guards = [], imports = [] } = checked;
  return { path, guards, imports: imports as CheckedMount['imports'] };
}
