import { setMaxListeners } from 'node:events';

/**
 * Makes a signal call `check` whenever it is asked whether it has aborted. It remains an `AbortSignal` that can be
 * passed to `fetch` and others.
 */
export function watchfulSignal(signal: AbortSignal, check: () => void): void {
  // A run may pass it to any number of operations at once: Node.js would warn of more than ten.
  setMaxListeners(0, signal);
  const checked = (key: 'aborted' | 'reason'): PropertyDescriptor => ({
    configurable: true,
    get: (): unknown => {
      check();
      return Reflect.get(AbortSignal.prototype, key, signal);
    },
  });
  const throwIfAborted = (): void => {
    if (signal.aborted) throw signal.reason;
  };
  Object.defineProperties(signal, {
    aborted: checked('aborted'),
    reason: checked('reason'),
    throwIfAborted: { configurable: true, value: throwIfAborted },
  });
}
