import type { ConfigurableModuleAsyncOptions } from '@nestjs/common';
import { shown } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import {
  type Belongs,
  boolean,
  callback,
  type Check,
  checkedOptions,
  list,
  readOrRefuse,
} from '../checks.js';
import type { RedlockModuleExtras, RedlockModuleOptions, RedlockOptionsFactory } from './options.js';
import { MODULE_OPTIONS } from './resolve-options.js';

/** The options of `forRootAsync`. */
type AsyncOptions = ConfigurableModuleAsyncOptions<RedlockModuleOptions, 'createRedlockOptions'> &
  Partial<RedlockModuleExtras>;

const WHERE = 'RedlockModule.forRootAsync()';

const token: Check<unknown> = (where, option, value) => {
  if (['string', 'symbol', 'function'].includes(typeof value)) return value;
  throw new InvalidOptionError(where, option, 'must be the token of a provider', { received: value });
};

const CHECKS = {
  imports: list,
  inject: list,
  provideInjectionTokensFrom: list,
  useFactory: callback,
  useClass: callback,
  useExisting: token,
  isGlobal: boolean,
} satisfies Record<keyof AsyncOptions, Check<unknown>>;

const SOURCES = ['useFactory', 'useClass', 'useExisting'] as const;

const belongs: Belongs = (option) =>
  MODULE_OPTIONS.includes(option)
    ? 'return it from useFactory, with the other options of the module'
    : undefined;

/** Throws `InvalidOptionError` for invalid options of `forRootAsync` itself; those of the module are created later. */
export function checkedAsyncOptions(options: unknown): AsyncOptions {
  const checked = checkedOptions(WHERE, options, CHECKS, belongs);
  const set = SOURCES.filter((source) => checked[source] !== undefined);
  if (set.length === 1) return checked as AsyncOptions;
  const problem = set.length === 0 ? 'is missing' : `cannot be combined with ${set.slice(1).join(' and ')}`;
  throw new InvalidOptionError(
    WHERE,
    set[0] ?? 'useFactory',
    `${problem}: set one of useFactory, useClass and useExisting`,
  );
}

/** Asks an instance of `useClass` or `useExisting` for the options. */
export function createdBy(source: 'useClass' | 'useExisting') {
  return (factory: unknown): ReturnType<RedlockOptionsFactory['createRedlockOptions']> => {
    const create = readOrRefuse(
      WHERE,
      source,
      () => Reflect.get(Object(factory), 'createRedlockOptions') as unknown,
    );
    if (typeof create === 'function') return (factory as RedlockOptionsFactory).createRedlockOptions();
    throw new InvalidOptionError(
      WHERE,
      source,
      `must provide an object with a method createRedlockOptions(); received ${shown(factory)}`,
    );
  };
}
