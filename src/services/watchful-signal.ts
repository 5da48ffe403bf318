/**
 * Makes a signal call `check` before it says whether it has aborted. It stays the same `AbortSignal`, so that it can be
 * handed to `fetch` and others.
 */
export function watchfulSignal(signal: AbortSignal, check: () => void): void {
  const checked = <Value>(read: (this: AbortSignal) => Value) => {
    return (): Value => {
      check();
      return read.call(signal);
    };
  };
  const { get: aborted } = descriptorOf('aborted');
  const { get: reason } = descriptorOf('reason');
  const { value: throwIfAborted } = descriptorOf('throwIfAborted');
  Object.defineProperties(signal, {
    aborted: { configurable: true, get: checked(aborted as () => boolean) },
    reason: { configurable: true, get: checked(reason as () => unknown) },
    throwIfAborted: { configurable: true, value: checked(throwIfAborted as () => void) },
  });
}

function descriptorOf(key: keyof AbortSignal): PropertyDescriptor {
  return Object.getOwnPropertyDescriptor(AbortSignal.prototype, key) ?? {};
}
