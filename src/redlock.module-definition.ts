import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { RedlockModuleExtras, RedlockModuleOptions } from './options/options.js';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<RedlockModuleOptions>({ moduleName: 'Redlock', alwaysTransient: true })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createRedlockOptions')
    .setExtras<RedlockModuleExtras>({ isGlobal: true }, (definition, { isGlobal }) => ({
      ...definition,
      global: isGlobal ?? true,
    }))
    .build();

/** Injects the options with all defaults filled in. */
export const RESOLVED_OPTIONS = Symbol('RESOLVED_OPTIONS');

/** Injects the `Clock`. */
export const CLOCK = Symbol('CLOCK');

/** Injects the voting nodes. */
export const LOCK_NODES = Symbol('LOCK_NODES');
