import { Logger } from '@nestjs/common';
import { withoutQuorum } from '../acquire/outcome.js';
import { messageOf } from '../display.js';
import { StoreDownError } from '../errors.js';
import type { Trouble } from './page-data.js';

/** How many errors are logged, each once. */
const LOGGED = 100;

/** Knows whether the nodes answer, and since when they do not. */
export class StoreAccess {
  private readonly logger = new Logger('RedlockDashboard');
  private readonly complaints = new Set<string>();
  trouble: Trouble | null = null;

  /** The answer; `undefined` if there is none. */
  async ask<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await read();
      this.trouble = null;
      return answer;
    } catch (error) {
      const message = messageOf(error);
      // The nodes may refuse to report on one job, and answer all else.
      if (error instanceof StoreDownError && !withoutQuorum(error.causes).isOfOneLock)
        this.trouble = { since: this.trouble?.since ?? Date.now(), message };
      else this.complain(message);
      return undefined;
    }
  }

  private complain(message: string): void {
    if (this.complaints.has(message) || this.complaints.size >= LOGGED) return;
    this.complaints.add(message);
    this.logger.error(message);
  }
}
