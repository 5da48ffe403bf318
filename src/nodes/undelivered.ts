import type { Claim } from './lock-node.js';

/** How to end a claim: settle the run, and put it on record, or undo the claim. */
export type Ending = { readonly kind: 'settle'; readonly record?: string } | { readonly kind: 'release' };

/** A command that may not have reached the node. */
export interface Undelivered {
  /** Whether the claim has been extended or settled since: if this node grants it late, it is not released. */
  readonly isObsolete: boolean;
  readonly ending: Ending;
  readonly claim: Claim;
  readonly token: string;
}

interface Entry extends Undelivered {
  /** When the claim, or the command itself, was sent, on the monotonic clock. */
  readonly since: number;
  isObsolete: boolean;
}

/** For how long a settle or a release is sent again, in milliseconds after the command that was not answered. */
const KEPT_FOR = 60_000;
/** How many are kept for a node; the oldest is dropped first. */
const KEPT_AT_MOST = 10_000;

/** Commands that end claims and are not answered yet. They are sent again when the node has recovered. */
export class UndeliveredCommands {
  private readonly entries = new Map<string, Entry>();
  /** The tokens of those that have failed, or were not answered in time. */
  private readonly failures = new Set<string>();
  /** Called when none is left. */
  private onEmpty: () => void = () => {};

  /** @param limit How old a failed command must be to be overdue, in milliseconds. */
  constructor(private readonly limit: number) {}

  add(ending: Ending, claim: Claim, token: string): Undelivered {
    const entry = { ending, claim, token, since: performance.now(), isObsolete: false };
    this.entries.set(token, entry);
    if (this.entries.size > KEPT_AT_MOST) this.remove(this.entries.keys().next().value ?? '');
    return entry;
  }

  /** The command was answered. Another command for the same token may be undelivered by now. */
  delivered(entry: Undelivered): void {
    if (this.entries.get(entry.token) === entry) this.remove(entry.token);
    if (this.entries.size === 0) this.onEmpty();
  }

  /**
   * The command has failed, or was not answered in time. Only such a command can be overdue: until then, its claim may
   * still be granted in time.
   */
  failed({ token }: Undelivered): void {
    if (this.entries.has(token)) this.failures.add(token);
  }

  /** The holder extends or settles the claim, which other nodes have granted: it must not be released any more. */
  keep(token: string): void {
    const entry = this.entries.get(token);
    if (entry?.ending.kind !== 'release') return;
    entry.isObsolete = true;
    this.delivered(entry);
  }

  /** Removes entries, and returns those that are still worth sending. */
  take(which: 'all' | 'overdue'): Undelivered[] {
    const now = performance.now();
    const taken: Entry[] = [];
    for (const token of which === 'all' ? this.entries.keys() : this.failures) {
      const entry = this.entries.get(token);
      if (entry && (which === 'all' || entry.since < now - this.limit)) taken.push(entry);
    }
    for (const { token } of taken) this.remove(token);
    return taken.filter(({ since }) => since > now - KEPT_FOR);
  }

  /** Resolves when none is left. */
  async empty(): Promise<void> {
    if (this.entries.size > 0) await new Promise<void>((resolve) => (this.onEmpty = resolve));
  }

  private remove(token: string): void {
    this.entries.delete(token);
    this.failures.delete(token);
  }
}
