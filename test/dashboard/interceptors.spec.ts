import { once } from 'node:events';
import { type NestInterceptor, NotFoundException, RequestTimeoutException } from '@nestjs/common';
import { concatMap, map, tap, throwError, timeout } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { type Platform, startDashboard } from './application.js';
import { FakeRedlock } from './fake-redlock.js';
import { dailyJob } from './records.js';

const PATHS = ['', '/assets/none', '/api/overview', '/api/job?name=report', '/api/fleet'];

interface Response {
  header: (name: string, value: string) => void;
}

const setsHeader: NestInterceptor = {
  intercept: (context, next) => {
    const response = context.switchToHttp().getResponse<Response>();
    return next.handle().pipe(tap(() => response.header('X-Response-Time', '7')));
  },
};
const setsHeaderLater: NestInterceptor = {
  intercept: (context, next) => {
    const response = context.switchToHttp().getResponse<Response>();
    return next.handle().pipe(
      concatMap(async (data: unknown) => {
        await Promise.resolve();
        response.header('X-Response-Time', '7');
        return data;
      }),
    );
  },
};
const wraps: NestInterceptor = {
  intercept: (_context, next) => next.handle().pipe(map((data: unknown) => ({ data }))),
};
const endsEarly: NestInterceptor = {
  intercept: (_context, next) =>
    next.handle().pipe(timeout({ first: 20, with: () => throwError(() => new RequestTimeoutException()) })),
};
const refusesNothing: NestInterceptor = {
  intercept: (_context, next) =>
    next.handle().pipe(
      map((data: unknown) => {
        if (data === undefined) throw new NotFoundException();
        return data;
      }),
    ),
};

async function start(platform: Platform, interceptor: NestInterceptor) {
  const redlock = new FakeRedlock(new Map([['report', dailyJob('report', [])]]));
  const dashboard = RedlockDashboardModule.forRoot({ actions: true });
  const logger = new RecordingLogger();
  const url = await startDashboard({ platform, redlock, dashboard, interceptor, nest: { logger } });
  return { url, redlock, logger };
}

describe.each(['Express', 'Fastify'] as const)('the dashboard on %s, in an application whose', (platform) => {
  it.each([
    { what: 'sets a header after the handler', interceptor: setsHeader },
    { what: 'sets a header soon after the handler', interceptor: setsHeaderLater },
    { what: 'wraps answers', interceptor: wraps },
    { what: 'takes no answer for an error', interceptor: refusesNothing },
  ])('interceptor $what, answers what it means and logs no error', async ({ interceptor }) => {
    const { url, logger } = await start(platform, interceptor);
    for (const path of PATHS) {
      const answer = await fetch(`${url}/jobs${path}`);
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
      const text = await answer.text();
      expect(text).not.toBe('');
      expect(text).not.toMatch(/^\{"data"/);
      expect(answer.status).toBe(path === '/assets/none' ? 404 : 200);
    }
    expect(logger.at('error')).toEqual([]);
  });

  it('interceptor ends what takes long, leaves the answer to it', async () => {
    const { url, redlock, logger } = await start(platform, endsEarly);
    const end = new AbortController();
    redlock.outcome = once(end.signal, 'abort').then(() => ({ ran: true, value: undefined }));
    const answer = await fetch(`${url}/jobs/api/trigger`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-redlock-dashboard': '1' },
      body: '{"name":"report"}',
    });
    expect(answer.status).toBe(408);
    end.abort();
    expect((await fetch(`${url}/jobs`)).status).toBe(200);
    expect(logger.at('error')).toEqual([]);
  });
});
