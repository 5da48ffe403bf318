import { Injectable } from '@nestjs/common';
import { loggingFailure } from '../in-background.js';
import { publish } from '../runs/channels.js';
import { copyOf, type RedlockEventMap, type RedlockListener } from '../runs/run-event.js';

/** Publishes each event to its diagnostics channel, and calls the listeners of `RedlockService.on`. */
@Injectable()
export class RedlockEvents {
  private readonly listeners = new Map<keyof RedlockEventMap, Set<(event: never) => unknown>>();

  on<Name extends keyof RedlockEventMap>(name: Name, listener: RedlockListener<Name>): () => void {
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof RedlockEventMap>(name: Name, event: RedlockEventMap[Name]): void {
    publish(name, event);
    for (const listener of this.listeners.get(name) ?? []) {
      void loggingFailure(`A listener to "${name}"`, async () =>
        (listener as RedlockListener<Name>)(copyOf(event)),
      );
    }
  }
}
