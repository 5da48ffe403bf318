import { type CanActivate, type CallHandler, Inject, Injectable, Module, Scope } from '@nestjs/common';
import type { NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory, REQUEST } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { describe, expect, it } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { type Mounting, type Platform, startDashboard } from './application.js';
import { Gate } from '../services/gate.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { FakeRedlock } from './fake-redlock.js';
import { dailyJob } from './records.js';

@Injectable({ scope: Scope.REQUEST })
class PassesOn implements NestInterceptor {
  intercept(_context: unknown, next: CallHandler) {
    return next.handle();
  }
}
@Module({ providers: [{ provide: APP_INTERCEPTOR, useClass: PassesOn, scope: Scope.REQUEST }] })
class GlobalInterceptorModule {}

/** Created for each request. */
@Injectable({ scope: Scope.REQUEST })
class Visitor {
  constructor(@Inject(REQUEST) readonly request: { readonly headers: Record<string, string> }) {}
}
@Module({ providers: [Visitor], exports: [Visitor] })
class VisitorModule {}
@Injectable()
class KeyGuard implements CanActivate {
  constructor(@Inject(Visitor) private readonly visitor: Visitor) {}

  canActivate(): boolean {
    return this.visitor.request.headers['x-key'] === 'sesame';
  }
}

const PATHS = ['', '/', '/assets/index.html', '/api/overview', '/api/job?name=report', '/none', '/none/'];
const FOUND = [200, 200, 200, 200, 200, 404, 200];
const KEY = { 'x-key': 'sesame' };

const start = (
  platform: Platform,
  dashboard = RedlockDashboardModule.forRoot(),
  more: Pick<Mounting, 'imports' | 'created'> = {},
) => {
  const redlock = new FakeRedlock(new Map([['report', dailyJob('report', [])]]));
  return startDashboard({ platform, redlock, dashboard, ...more });
};
const statuses = (url: string, headers = {}): Promise<number[]> =>
  Promise.all(PATHS.map(async (path) => (await fetch(`${url}/jobs${path}`, { headers })).status));

describe.each(['Express', 'Fastify'] as const)('the dashboard on %s works', (platform) => {
  it('with a global interceptor that is created for each request', async () => {
    expect(await statuses(await start(platform, undefined, { imports: [GlobalInterceptorModule] }))).toEqual(
      FOUND,
    );
  });

  it('with a guard that depends on the request', async () => {
    const dashboard = RedlockDashboardModule.forRoot({ guards: [KeyGuard], imports: [VisitorModule] });
    const url = await start(platform, dashboard);
    expect(await statuses(url, KEY)).toEqual(FOUND);
    expect(await statuses(url)).toEqual(PATHS.map(() => 403));
  });
});

it.each<[Platform, Platform]>([
  ['Express', 'Fastify'],
  ['Fastify', 'Express'],
])('an application on %s starts, even if one on %s was created meanwhile', async (one, other) => {
  const isCreated = new Gate();
  const mayStart = new Gate();
  isCreated.close();
  mayStart.close();
  const created = (): Promise<void> => {
    isCreated.open();
    return mayStart.until;
  };
  const first = start(one, undefined, { created });
  await isCreated.until;
  const second = await start(other);
  mayStart.open();
  for (const url of [await first, second]) expect(await statuses(url)).toEqual(FOUND);
});

it.each<[Platform, FastifyAdapter | undefined]>([
  ['Express', undefined],
  ['Fastify', new FastifyAdapter()],
])('an application on %s can be previewed', async (_platform, adapter) => {
  @Module({ imports: [RedlockDashboardModule.forRoot()] })
  class AppModule {}
  const logger = new RecordingLogger();
  const options = { preview: true, abortOnError: false, logger };
  const app = await (adapter
    ? NestFactory.create(AppModule, adapter, options)
    : NestFactory.create(AppModule, options));
  await app.init();
  expect(logger.at('warn').join()).not.toContain('RedlockDashboardModule');
});
