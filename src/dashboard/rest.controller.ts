import { Get, Inject, Req, Res } from '@nestjs/common';
import { Answers } from './answers.js';

/**
 * All other paths below that of the page. Fastify does not route the path of the page with a trailing slash to `page`,
 * so this controller serves the page at each path that ends with a slash.
 */
export class RestController {
  constructor(@Inject(Answers) private readonly answers: Answers) {}

  @Get()
  async rest(@Req() request: unknown, @Res() response: unknown): Promise<void> {
    if (this.answers.pathOf(request).endsWith('/')) return this.answers.page(request, response);
    this.answers.notFound(response);
  }
}
