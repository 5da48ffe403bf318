import { Body, Get, Headers, Inject, Logger, Param, Post, Query, Req, Res } from '@nestjs/common';
import { messageOf, quoted, redacted, shown } from '../display.js';
import { RedlockError } from '../errors.js';
import { act } from './actions.js';
import { Answers } from './answers.js';
import { Assets } from './assets.js';
import type { ResolvedSettings } from './dashboard-options.js';
import { JobReader } from './job-reader.js';
import { isFromThePage, type RequestHeaders } from './same-origin.js';
import { DASHBOARD_SETTINGS } from './tokens.js';

const NOT_FROM_THE_PAGE =
  'The request does not seem to come from this page. If a proxy replaces the Host header, configure it to keep that ' +
  'header, or to set X-Forwarded-Host, and make the application trust the proxy (trust proxy on Express, trustProxy on ' +
  'Fastify).';
const STATUS: Readonly<Record<string, number>> = { ERR_INVALID_OPTION: 400, ERR_STORE_DOWN: 503 };

/** The page, its files and its data. */
export class DashboardController {
  private readonly logger = new Logger('RedlockDashboard');

  constructor(
    @Inject(DASHBOARD_SETTINGS) private readonly settings: ResolvedSettings,
    @Inject(Answers) private readonly answers: Answers,
    @Inject(Assets) private readonly assets: Assets,
    @Inject(JobReader) private readonly reader: JobReader,
  ) {}

  @Get()
  async page(@Req() request: unknown, @Res() response: unknown): Promise<void> {
    await this.answers.page(request, response);
  }

  @Get('assets/:file')
  async asset(@Param('file') file: string, @Res() response: unknown): Promise<void> {
    const asset = await this.assets.get(file);
    if (asset === undefined) return this.answers.notFound(response);
    const caching = asset.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache';
    this.answers.send(response, asset.content, asset.type, caching);
  }

  @Get('api/overview')
  async overview(@Res() response: unknown, @Query('since') since?: unknown): Promise<void> {
    this.answers.json(response, await this.reader.overview(textOf(since), this.settings.actions));
  }

  /** The name is in the query because it may contain any character. */
  @Get('api/job')
  async job(@Res() response: unknown, @Query('name') name?: unknown): Promise<void> {
    const job = await this.reader.job(textOf(name));
    this.answers.json(response, job ?? { error: 'No such job' }, job ? 200 : 404);
  }

  @Get('api/fleet')
  async fleet(@Res() response: unknown): Promise<void> {
    this.answers.json(response, await this.reader.fleet());
  }

  @Post('api/:action')
  async action(
    @Req() request: unknown,
    @Res() response: unknown,
    @Param('action') action: string,
    @Headers() headers: RequestHeaders,
    @Body() body: unknown,
  ): Promise<void> {
    if (!this.settings.actions) return this.answers.json(response, { error: 'Actions are turned off' }, 404);
    if (!isFromThePage(headers, hostOf(request)))
      return this.answers.json(response, { error: NOT_FROM_THE_PAGE }, 403);
    try {
      const outcome = await act(this.reader.redlock, action, body);
      this.logger.log(`Dashboard request to ${action} ${quoted(outcome.name)}: ${outcome.outcome}`);
      await this.reader.renew(outcome.name);
      this.answers.json(response, outcome);
    } catch (error) {
      const reason = messageOf(error);
      this.logger.warn(`Dashboard request to ${redacted(action)} ${shown(nameIn(body))} failed: ${reason}`);
      const status = error instanceof RedlockError ? STATUS[error.code] : undefined;
      this.answers.json(response, { error: reason }, status ?? 500);
    }
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
