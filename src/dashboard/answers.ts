import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Assets } from './assets.js';

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};
const JSON_TYPE = 'application/json; charset=utf-8';

/** Sends answers through the HTTP adapter: interceptors of the application may change what a handler returns. */
@Injectable()
export class Answers {
  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(Assets) private readonly assets: Assets,
  ) {}

  async page(request: unknown, response: unknown): Promise<void> {
    // Relative URLs begin after the last slash of the address, and the address may or may not end with one.
    const segment = this.pathOf(request).split('/').at(-1);
    const page = await this.assets.page(segment ? `${segment}/` : '');
    if (page === undefined) return this.notFound(response);
    this.send(response, page, 'text/html; charset=utf-8', 'no-cache');
  }

  notFound(response: unknown): void {
    this.json(response, { error: 'Not found' }, 404);
  }

  json(response: unknown, body: unknown, status = 200): void {
    this.send(
      response,
      typeof body === 'string' ? body : JSON.stringify(body),
      JSON_TYPE,
      'no-store',
      status,
    );
  }

  send(response: unknown, body: string, type: string, caching: string, status = 200): void {
    const { httpAdapter } = this.host;
    // An interceptor with a timeout may have answered already.
    if (httpAdapter.isHeadersSent(response)) return;
    const headers = { ...HEADERS, 'Content-Type': type, 'Cache-Control': caching };
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, body, status);
    // Interceptors may set headers once the handler has returned. Express would throw, and Nest would log each time.
    if (httpAdapter.getType() !== 'fastify' && httpAdapter.isHeadersSent(response))
      Object.assign(response as object, { setHeader: () => response });
  }

  /** The path of a request, without its query. */
  pathOf(request: unknown): string {
    return String(this.host.httpAdapter.getRequestUrl(request)).split('?', 1).join();
  }
}
