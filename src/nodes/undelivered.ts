import type { Claim } from './lock-node.js';

/** How to end a claim: settle the run, or undo the claim. */
export type Ending = 'settle' | 'release';

/** A command that may not have reached the node. */
export interface Undelivered {
  readonly ending: Ending;
  readonly claim: Claim;
  readonly token: string;
}

interface Entry extends Undelivered {
  /** When the claim, or the command itself, was sent, on the monotonic clock. */
  readonly since: number;
}

/** For how long a settle or a release is sent again, in milliseconds after the command that was not answered. */
const KEPT_FOR = 60_000;
/** How many are kept for a node; the oldest is dropped first. */
const KEPT_AT_MOST = 10_000;

/** Commands that end claims and are not answered yet. They are sent again when the node has recovered. */
export class UndeliveredCommands {
  private readonly entries = new Map<string, Entry>();
  /** Called when none is left. */
  private onEmpty: () => void = () => {};

  /** @param limit How long an answer may take, in milliseconds: then the command is overdue. */
  constructor(private readonly limit: number) {}

  add(ending: Ending, claim: Claim, token: string): Undelivered {
    const entry = { ending, claim, token, since: performance.now() };
    this.entries.set(token, entry);
    if (this.entries.size > KEPT_AT_MOST) this.entries.delete(this.entries.keys().next().value ?? '');
    return entry;
  }

  /** The command was answered. Another command for the same token may be undelivered by now. */
  delivered(entry: Undelivered): void {
    if (this.entries.get(entry.token) === entry) this.entries.delete(entry.token);
    if (this.entries.size === 0) this.onEmpty();
  }

  /** Removes entries, and returns those that are still worth sending. */
  take(which: 'all' | 'overdue'): Undelivered[] {
    const now = performance.now();
    const taken = [...this.entries.values()].filter(
      ({ since }) => which === 'all' || since < now - this.limit,
    );
    for (const { token } of taken) this.entries.delete(token);
    return taken.filter(({ since }) => since > now - KEPT_FOR);
  }

  /** Resolves when none is left. */
  async empty(): Promise<void> {
    if (this.entries.size > 0) await new Promise<void>((resolve) => (this.onEmpty = resolve));
  }
}
