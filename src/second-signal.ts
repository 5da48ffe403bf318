const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** For this many milliseconds after Nest removes a listener for a signal, that signal counts as sent by Nest. */
const SENT_WITHIN = 500;
/**
 * The shutdowns that wait for runs, of all applications in this process. They share one listener for each signal,
 * because Node.js warns of more than ten.
 */
const waiting = new Set<AbortController>();
/**
 * For each signal, when listeners for it were removed, on the monotonic clock. Each signal that arrives uses up one.
 */
const removals = new Map<unknown, number[]>();

/**
 * The first of these signals begins a shutdown, and the next one tells it to hurry.
 *
 * @returns `hurry`, which aborts at the next signal, and `stopListening`, to be called when the shutdown is over.
 */
export function awaitSecondSignal(): { readonly hurry: AbortSignal; readonly stopListening: () => void } {
  const controller = new AbortController();
  if (waiting.size === 0) listen();
  waiting.add(controller);
  const stopListening = (): void => {
    waiting.delete(controller);
    if (waiting.size === 0) stop();
  };
  return { hurry: controller.signal, stopListening };
}

/** Ends the waits, unless Nest sent the signal, as it does each time an application of the process has closed. */
function hurryAll(signal: NodeJS.Signals): void {
  // Before it sends the signal, Nest removes the listener of that application.
  const recent = (removals.get(signal) ?? []).filter((at) => performance.now() - at < SENT_WITHIN);
  removals.set(signal, recent.slice(1));
  if (recent.length === 0) waiting.forEach((each) => each.abort());
}

function noteRemoval(event: unknown): void {
  // Noted a moment later: a listener that is called once is removed while a signal is being delivered.
  queueMicrotask(() => removals.get(event)?.push(performance.now()));
}

function listen(): void {
  for (const signal of SIGNALS) {
    process.on(signal, hurryAll);
    removals.set(signal, []);
  }
  process.on('removeListener', noteRemoval);
}

function stop(): void {
  process.off('removeListener', noteRemoval);
  for (const signal of SIGNALS) process.off(signal, hurryAll);
  removals.clear();
}
