import {
  Controller,
  type DynamicModule,
  Inject,
  Module,
  type Type,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { withStackOfCaller } from '../options/stack-of-caller.js';
import { Answers } from './answers.js';
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
import { RestController } from './rest.controller.js';
import { DASHBOARD_SETTINGS, REST_ROUTES } from './tokens.js';

/**
 * A page that shows the jobs of the fleet: what ran, where and when, what is missing, and what comes next. Import it
 * next to `RedlockModule`, once.
 */
@Module({})
export class RedlockDashboardModule {
  /** @internal */
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(REST_ROUTES) private readonly restRoutes: RestRoutes | undefined,
  ) {}

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

  /**
   * The hook for middleware, which Nest calls just before it reads the routes. Only then is the HTTP adapter known, and
   * the adapters spell a wildcard differently.
   *
   * @internal
   */
  configure(): void {
    // Nest injects nothing in preview mode.
    if (!this.restRoutes) return;
    const { path, controller } = this.restRoutes;
    const wildcard = this.host.httpAdapter.getType() === 'fastify' ? '*' : '{*rest}';
    placeAt(controller, `${path}/${wildcard}`);
  }
}

/** The controller that answers everything else below the path of the page. */
interface RestRoutes {
  readonly path: string;
  readonly controller: Type<RestController>;
}

function mounted(
  { path, guards, imports }: Required<RedlockDashboardMount>,
  inject: NonNullable<RedlockDashboardAsyncOptions['inject']>,
  create: (...args: never[]) => RedlockDashboardSettings | Promise<RedlockDashboardSettings>,
): DynamicModule {
  // Subclasses for each page, because path and guards are metadata of the class.
  class MountedDashboard extends DashboardController {}
  class MountedRest extends RestController {}
  // In this order: `MountedRest` matches all other paths.
  const controllers = [MountedDashboard, MountedRest];
  placeAt(MountedDashboard, path);
  // Until `configure` is called.
  placeAt(MountedRest, `${path}/:rest`);
  for (const controller of controllers) {
    UseGuards(...guards)(controller);
    // What `ApiExcludeController` of @nestjs/swagger sets: these routes are for the page alone.
    Reflect.defineMetadata('swagger/apiExcludeController', [true], controller);
  }
  return {
    module: RedlockDashboardModule,
    imports,
    controllers,
    providers: [
      Answers,
      Assets,
      JobReader,
      { provide: REST_ROUTES, useValue: { path, controller: MountedRest } satisfies RestRoutes },
      {
        provide: DASHBOARD_SETTINGS,
        inject: [...inject],
        useFactory: async (...args: never[]) => resolveSettings(await create(...args), guards.length > 0),
      },
    ],
  };
}

function placeAt(controller: Type, path: string): void {
  Controller({ path, version: VERSION_NEUTRAL })(controller);
}
