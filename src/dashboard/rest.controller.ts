import { Get, Inject, Req, Res } from '@nestjs/common';
import { Answers } from './answers.js';

/** Every other path below that of the page: Fastify does not send one that ends with a slash to `page`. */
export class RestController {
  constructor(@Inject(Answers) private readonly answers: Answers) {}

  @Get()
  async rest(@Req() request: unknown, @Res() response: unknown): Promise<void> {
    if (this.answers.pathOf(request).endsWith('/')) return this.answers.page(request, response);
    this.answers.notFound(response);
  }
}
