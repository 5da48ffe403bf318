import { Injectable } from '@nestjs/common';
import { loggingFailure } from '../in-background.js';
import { publish } from '../events/channels.js';
import { copyOf, type RedlockEventMap, type RedlockListener } from '../events/events.js';

/** One call of `RedlockEvents.on`: a function can be subscribed several times. */
interface Subscription {
  readonly listener: (event: never) => unknown;
  isOver: boolean;
}

/** Publishes each event to its diagnostics channel, and calls the listeners of `RedlockService.on`. */
@Injectable()
export class RedlockEvents {
  /** The arrays are never changed: a listener that is added during an event hears the next one. */
  private readonly subscriptions = new Map<keyof RedlockEventMap, readonly Subscription[]>();

  on<Name extends keyof RedlockEventMap>(name: Name, listener: RedlockListener<Name>): () => void {
    const subscription: Subscription = { listener, isOver: false };
    this.subscriptions.set(name, [...this.of(name), subscription]);
    return () => {
      subscription.isOver = true;
      this.subscriptions.set(
        name,
        this.of(name).filter(({ isOver }) => !isOver),
      );
    };
  }

  emit<Name extends keyof RedlockEventMap>(name: Name, event: RedlockEventMap[Name]): void {
    publish(name, event);
    for (const { listener, isOver } of this.of(name)) {
      if (isOver) continue;
      void loggingFailure(`A listener to "${name}"`, async () =>
        (listener as RedlockListener<Name>)(copyOf(event)),
      );
    }
  }

  private of(name: keyof RedlockEventMap): readonly Subscription[] {
    return this.subscriptions.get(name) ?? [];
  }
}
