import {
  type DynamicModule,
  Global,
  Module,
  type NestApplicationOptions,
  type NestInterceptor,
  type Type,
  VersioningType,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { closeAfterTest } from '../close-after-test.js';
import { RedlockService } from '../../src/index.js';
import { RecordingLogger } from '../module/recording-logger.js';
import type { FakeRedlock } from './fake-redlock.js';

export type Platform = 'Express' | 'Fastify';

/** What an application with the dashboard is made of. */
export interface Mounting {
  readonly platform: Platform;
  readonly redlock: FakeRedlock;
  readonly dashboard: DynamicModule;
  readonly prefix?: string;
  readonly versioned?: boolean;
  readonly interceptor?: NestInterceptor;
  /** More options of `NestFactory.create`. */
  readonly nest?: NestApplicationOptions;
  /** Believes what a proxy on this machine says of the request. */
  readonly trustsProxy?: boolean;
  /** More that the root module imports. */
  readonly imports?: readonly Type[];
  /** Called when the application has been created, and not started. */
  readonly created?: () => Promise<void>;
}

/** Starts an application with the dashboard on a port of its own; it is closed after the test. */
export async function startDashboard(mounting: Mounting): Promise<string> {
  const {
    platform,
    redlock,
    dashboard,
    prefix,
    versioned,
    interceptor,
    nest,
    trustsProxy,
    imports = [],
    created,
  } = mounting;

  @Global()
  @Module({ providers: [{ provide: RedlockService, useValue: redlock }], exports: [RedlockService] })
  class FakeRedlockModule {}

  @Module({ imports: [FakeRedlockModule, ...imports, dashboard] })
  class AppModule {}

  const trustProxy = trustsProxy && 'loopback';
  const options = { logger: new RecordingLogger(), abortOnError: false, ...nest };
  const app =
    platform === 'Fastify'
      ? await NestFactory.create<NestFastifyApplication>(
          AppModule,
          new FastifyAdapter({ trustProxy }),
          options,
        )
      : await NestFactory.create<NestExpressApplication>(AppModule, options);
  closeAfterTest(app);
  if (platform === 'Express') {
    // It makes objects of a query.
    (app as NestExpressApplication).set('query parser', 'extended');
    if (trustProxy) (app as NestExpressApplication).set('trust proxy', trustProxy);
  }
  if (prefix !== undefined) app.setGlobalPrefix(prefix);
  if (versioned) app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
  if (interceptor) app.useGlobalInterceptors(interceptor);
  await created?.();
  await app.listen(0, '127.0.0.1');
  return (await app.getUrl()).replace('[::1]', '127.0.0.1');
}
