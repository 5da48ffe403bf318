import { Controller, type DynamicModule, Module, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { withStackOfCaller } from '../options/stack-of-caller.js';
import { Assets } from './assets.js';
import { DashboardController } from './dashboard.controller.js';
import {
  checkedForRoot,
  checkedForRootAsync,
  type RedlockDashboardAsyncOptions,
  type RedlockDashboardMount,
  type RedlockDashboardOptions,
  type RedlockDashboardSettings,
  resolveSettings,
} from './dashboard-options.js';
import { JobReader } from './job-reader.js';
import { DASHBOARD_SETTINGS } from './tokens.js';

/**
 * A page that shows the jobs of the fleet: what ran, where and when, what is missing, and what comes next. Import it
 * next to `RedlockModule`, once.
 */
@Module({})
export class RedlockDashboardModule {
  /**
   * @param options Where the page is, who may see it, and what it allows.
   * @throws InvalidOptionError for an invalid option; in production also without a guard, unless `public` is `true`.
   */
  static forRoot(options: RedlockDashboardOptions = {}): DynamicModule {
    return withStackOfCaller(RedlockDashboardModule, 'forRoot', () => {
      const { settings, ...mount } = checkedForRoot(options);
      resolveSettings(settings, mount.guards.length > 0);
      return mounted(mount, [], () => settings);
    });
  }

  /**
   * As `forRoot`, with a factory for `actions` and `public`. Path and guards must be known earlier: Nest reads them
   * when it registers the routes.
   *
   * @throws InvalidOptionError for an invalid option. What the factory returns is checked when the application starts.
   */
  static forRootAsync(options: RedlockDashboardAsyncOptions): DynamicModule {
    return withStackOfCaller(RedlockDashboardModule, 'forRootAsync', () => {
      const { inject, useFactory, ...mount } = checkedForRootAsync(options);
      return mounted(mount, [...inject], useFactory);
    });
  }
}

function mounted(
  { path, guards, imports }: Required<RedlockDashboardMount>,
  inject: NonNullable<RedlockDashboardAsyncOptions['inject']>,
  create: (...args: never[]) => RedlockDashboardSettings | Promise<RedlockDashboardSettings>,
): DynamicModule {
  // A class of its own, because path and guards are metadata of the class.
  class MountedDashboard extends DashboardController {}
  Controller({ path, version: VERSION_NEUTRAL })(MountedDashboard);
  UseGuards(...guards)(MountedDashboard);
  // What `ApiExcludeController` of @nestjs/swagger sets: these routes are for the page alone.
  Reflect.defineMetadata('swagger/apiExcludeController', [true], MountedDashboard);
  return {
    module: RedlockDashboardModule,
    imports,
    controllers: [MountedDashboard],
    providers: [
      Assets,
      JobReader,
      {
        provide: DASHBOARD_SETTINGS,
        inject: [...inject],
        useFactory: async (...args: never[]) => resolveSettings(await create(...args), guards.length > 0),
      },
    ],
  };
}
