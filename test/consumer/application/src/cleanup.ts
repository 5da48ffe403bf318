import { Injectable } from '@nestjs/common';
import { RedlockService } from 'nestjs-exclusive';

/** Is compiled, and never called. */
@Injectable()
export class Cleanup {
  constructor(private readonly redlock: RedlockService) {}

  async cleanUp(): Promise<string> {
    const outcome = await this.redlock.run('cleanup', () => new Date());
    if (!outcome.ran) return outcome.reason;
    return outcome.value.toISOString();
  }
}
