/** The callbacks of each signal. One listener calls them all: adding a listener compares it with every other one. */
const callbacks = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `callback` when `signal` aborts. Cheap also with thousands of callbacks for one signal.
 *
 * @returns A function that removes the callback.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const known = callbacks.get(signal) ?? new Set();
  if (!callbacks.has(signal)) {
    callbacks.set(signal, known);
    signal.addEventListener('abort', () => {
      for (const each of known) each();
    });
  }
  known.add(callback);
  return () => void known.delete(callback);
}
