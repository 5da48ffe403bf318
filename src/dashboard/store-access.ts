import { Logger } from '@nestjs/common';
import { messageOf } from '../display.js';
import { StoreDownError } from '../errors.js';
import type { Trouble } from './page-data.js';

/** Knows whether the nodes answer, and since when they do not. */
export class StoreAccess {
  private readonly logger = new Logger('RedlockDashboard');
  private complaint = '';
  trouble: Trouble | null = null;

  /** The answer; `undefined` if there is none. */
  async ask<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await read();
      this.trouble = null;
      return answer;
    } catch (error) {
      const message = messageOf(error);
      if (error instanceof StoreDownError)
        this.trouble = { since: this.trouble?.since ?? Date.now(), message };
      else if (message !== this.complaint) this.logger.error((this.complaint = message));
      return undefined;
    }
  }
}
