import { Injectable, Logger } from '@nestjs/common';
import { messageOf } from '../display.js';
import { publish } from '../runs/channels.js';
import type { RedlockEventMap, RedlockListener } from '../runs/run-event.js';

/** Event bus. */
@Injectable()
export class RedlockEvents {
  private readonly logger = new Logger('RedlockModule');
  private readonly listeners = new Map<keyof RedlockEventMap, Set<(event: never) => unknown>>();

  on<Name extends keyof RedlockEventMap>(name: Name, listener: RedlockListener<Name>): () => void {
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof RedlockEventMap>(name: Name, event: RedlockEventMap[Name]): void {
    publish(name, event);
    for (const listener of this.listeners.get(name) ?? []) {
      void this.tell(listener as RedlockListener<Name>, event, name);
    }
  }

  private async tell<Name extends keyof RedlockEventMap>(
    listener: RedlockListener<Name>,
    event: RedlockEventMap[Name],
    name: Name,
  ): Promise<void> {
    try {
      await listener(event);
    } catch (error) {
      this.logger.error(
        `A listener to "${name}" failed: ${messageOf(error)}`,
        error instanceof Error ? error.stack : '',
      );
    }
  }
}
