import { Body, Get, Headers, Inject, Logger, Param, Post, Query, Req, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { messageOf, quoted, redacted, shown } from '../display.js';
import { RedlockError } from '../errors.js';
import { act } from './actions.js';
import { Assets } from './assets.js';
import type { ResolvedSettings } from './dashboard-options.js';
import { JobReader } from './job-reader.js';
import { isFromThePage, type RequestHeaders } from './same-origin.js';
import { DASHBOARD_SETTINGS } from './tokens.js';

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};
const ANYTHING = '{*rest}';
const NOT_FROM_THE_PAGE =
  'The request does not seem to come from this page. If a proxy replaces the Host header, configure it to keep that ' +
  'header, or to set X-Forwarded-Host, and make the application trust the proxy (trust proxy on Express, trustProxy on ' +
  'Fastify).';
const JSON_TYPE = 'application/json; charset=utf-8';
const STATUS: Readonly<Record<string, number>> = { ERR_INVALID_OPTION: 400, ERR_STORE_DOWN: 503 };

/**
 * The page, its files and its data. Answers are sent through the adapter: interceptors of the application may change
 * what a handler returns.
 */
export class DashboardController {
  private readonly logger = new Logger('RedlockDashboard');
  private readonly isFastify: boolean;

  constructor(
    @Inject(DASHBOARD_SETTINGS) private readonly settings: ResolvedSettings,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(Assets) private readonly assets: Assets,
    @Inject(JobReader) private readonly reader: JobReader,
  ) {
    // The two adapters spell a wildcard differently. Nest reads the path of a route after it has created its
    // controller.
    this.isFastify = host.httpAdapter?.getType() === 'fastify';
    Reflect.defineMetadata('path', this.isFastify ? '*' : ANYTHING, Reflect.get(this, 'rest'));
  }

  @Get()
  async page(@Req() request: unknown, @Res() response: unknown): Promise<void> {
    // Relative URLs begin after the last slash of the address, and the address may or may not end with one.
    const segment = this.pathOf(request).split('/').at(-1);
    const page = await this.assets.page(segment ? `${segment}/` : '');
    if (page === undefined) return this.json(response, { error: 'Not found' }, 404);
    this.send(response, page, 'text/html; charset=utf-8', 'no-cache');
  }

  @Get('assets/:file')
  async asset(@Param('file') file: string, @Res() response: unknown): Promise<void> {
    const asset = await this.assets.get(file);
    if (asset === undefined) return this.json(response, { error: 'Not found' }, 404);
    const caching = asset.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache';
    this.send(response, asset.content, asset.type, caching);
  }

  @Get('api/overview')
  async overview(@Res() response: unknown, @Query('since') since?: unknown): Promise<void> {
    this.json(response, await this.reader.overview(textOf(since), this.settings.actions));
  }

  /** The name is in the query because it may contain any character. */
  @Get('api/job')
  async job(@Res() response: unknown, @Query('name') name?: unknown): Promise<void> {
    const job = await this.reader.job(textOf(name));
    this.json(response, job ?? { error: 'No such job' }, job ? 200 : 404);
  }

  @Get('api/fleet')
  async fleet(@Res() response: unknown): Promise<void> {
    this.json(response, await this.reader.fleet());
  }

  @Post('api/:action')
  async action(
    @Req() request: unknown,
    @Res() response: unknown,
    @Param('action') action: string,
    @Headers() headers: RequestHeaders,
    @Body() body: unknown,
  ): Promise<void> {
    if (!this.settings.actions) return this.json(response, { error: 'Actions are turned off' }, 404);
    if (!isFromThePage(headers, hostOf(request)))
      return this.json(response, { error: NOT_FROM_THE_PAGE }, 403);
    try {
      const outcome = await act(this.reader.redlock, action, body);
      this.logger.log(`Dashboard request to ${action} ${quoted(outcome.name)}: ${outcome.outcome}`);
      await this.reader.renew(outcome.name);
      this.json(response, outcome);
    } catch (error) {
      const reason = messageOf(error);
      this.logger.warn(`Dashboard request to ${redacted(action)} ${shown(nameIn(body))} failed: ${reason}`);
      const status = error instanceof RedlockError ? STATUS[error.code] : undefined;
      this.json(response, { error: reason }, status ?? 500);
    }
  }

  /** Fastify does not send a path that ends with a slash to `page`. Must be the last route: it matches all others. */
  @Get(ANYTHING)
  async rest(@Req() request: unknown, @Res() response: unknown): Promise<void> {
    if (this.pathOf(request).endsWith('/')) return this.page(request, response);
    this.json(response, { error: 'Not found' }, 404);
  }

  private pathOf(request: unknown): string {
    return String(this.host.httpAdapter.getRequestUrl(request)).split('?', 1).join();
  }

  private json(response: unknown, body: unknown, status = 200): void {
    this.send(
      response,
      typeof body === 'string' ? body : JSON.stringify(body),
      JSON_TYPE,
      'no-store',
      status,
    );
  }

  private send(response: unknown, body: string, type: string, caching: string, status = 200): void {
    const { httpAdapter } = this.host;
    // An interceptor with a timeout may have answered already.
    if (httpAdapter.isHeadersSent(response)) return;
    const headers = { ...HEADERS, 'Content-Type': type, 'Cache-Control': caching };
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, body, status);
    // Interceptors may set headers once the handler has returned. Express would throw, and Nest would log each time.
    if (!this.isFastify && httpAdapter.isHeadersSent(response))
      Object.assign(response as object, { setHeader: () => response });
  }
}

/**
 * The host that the browser asked for. Both adapters believe `X-Forwarded-Host` only if the application trusts the
 * proxy that has sent it (Fastify since 5.8.3): otherwise, a page of another site could choose it.
 */
function hostOf(request: unknown): unknown {
  return Reflect.get(Object(request) as object, 'host');
}

/** The name in the body of a request that may be invalid. */
function nameIn(body: unknown): unknown {
  return Reflect.get(Object(body) as object, 'name');
}

/** A value of the query; a parser may make an object of it, which may even have a `toString` of its own. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
