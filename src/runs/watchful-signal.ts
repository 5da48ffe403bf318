/**
 * Makes a signal call `check` before it says whether it has aborted. It stays the same `AbortSignal`, so that it can be
 * handed to `fetch` and others.
 */
export function watchfulSignal(signal: AbortSignal, check: () => void): void {
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
