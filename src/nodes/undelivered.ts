import type { Claim } from './lock-node.js';

/** How to end a claim: settle the run, and put it on record, or undo the claim. */
export type Ending = { readonly kind: 'settle'; readonly record?: string } | { readonly kind: 'release' };

/** The kinds of endings. */
export const ENDINGS = ['settle', 'release'] as const;

/** A command that may not have reached the node. */
export interface Undelivered {
  /** Whether the claim has been extended or settled since: if this node grants it late, it is not released. */
  readonly isObsolete: boolean;
  readonly ending: Ending;
  readonly claim: Claim;
  readonly token: string;
}

/**
 * Which commands to send again: all; `'failed'`: those that failed or got no answer in time, unless they were sent a
 * moment ago; `'settle'` or `'release'`: those of this kind that were rejected.
 */
export type Which = 'all' | 'failed' | Ending['kind'];

interface Entry extends Undelivered {
  /** When the claim, or the command itself, was first sent, on the monotonic clock. */
  readonly since: number;
  /** When it was last sent. */
  sent: number;
  isObsolete: boolean;
}

/** For how long a settle or a release is sent again, in milliseconds after it was first sent. */
const KEPT_FOR = 60_000;
/** How many are kept for a node; the oldest is dropped first. */
const KEPT_AT_MOST = 10_000;

/** Commands that end claims and are not answered yet, or were rejected. They are sent again. */
export class UndeliveredCommands {
  private readonly entries = new Map<string, Entry>();
  /** The tokens of those that have failed, or were not answered in time. */
  private readonly failures = new Set<string>();
  /** The tokens of those that were rejected, in the order in which that happened. */
  private readonly rejections = { settle: new Set<string>(), release: new Set<string>() };
  /** The tokens of the latest claims that were refused, and not extended or settled since. */
  private readonly refusedClaims = new Set<string>();
  /** Called when none is left. */
  private onEmpty: () => void = () => {};

  /**
   * @param limit A failed command is sent again as `'failed'` only when this many milliseconds have passed since it was
   * last sent.
   */
  constructor(private readonly limit: number) {}

  /** How many of this kind were rejected. */
  rejectedCount(kind: Ending['kind']): number {
    return this.rejections[kind].size;
  }

  add(ending: Ending, claim: Claim, token: string): Undelivered {
    const now = performance.now();
    const entry = { ending, claim, token, since: now, sent: now, isObsolete: false };
    this.noteSent(token);
    this.entries.set(token, entry);
    if (this.entries.size > KEPT_AT_MOST) this.remove(this.entries.keys().next().value ?? '');
    return entry;
  }

  /** The command was answered, or need not be sent again. Another one for the same token may be undelivered by now. */
  forget(entry: Undelivered): void {
    if (this.entries.get(entry.token) === entry) this.remove(entry.token);
  }

  /**
   * The command has failed, or was not answered in time. Until then, `take('failed')` leaves it out: its claim may
   * still be granted in time.
   */
  failed({ token }: Undelivered): void {
    if (this.entries.has(token)) this.failures.add(token);
  }

  /** The command was rejected: it is no longer on its way, and may be carried out if it is sent again. */
  rejected(entry: Undelivered): void {
    if (this.entries.get(entry.token) === entry) this.rejections[entry.ending.kind].add(entry.token);
  }

  /** The claim was refused: there is nothing to release. */
  claimRefused(release: Undelivered): void {
    this.forget(release);
    this.refusedClaims.add(release.token);
    if (this.refusedClaims.size > KEPT_AT_MOST)
      this.refusedClaims.delete(this.refusedClaims.values().next().value ?? '');
  }

  /** Whether it releases a claim that was refused. */
  isNeedless({ ending, token }: Undelivered): boolean {
    return ending.kind === 'release' && this.refusedClaims.has(token);
  }

  /** The holder extends or settles the claim, which other nodes have granted: it must not be released any more. */
  cancelRelease(token: string): void {
    this.refusedClaims.delete(token);
    const entry = this.entries.get(token);
    if (entry?.ending.kind !== 'release') return;
    entry.isObsolete = true;
    this.forget(entry);
  }

  /** Returns those to send now, at most `atMost`, and removes those that it finds too old to be sent again. */
  take(which: Which, atMost = KEPT_AT_MOST): Undelivered[] {
    const now = performance.now();
    const taken: Entry[] = [];
    for (const token of this.tokensOf(which)) {
      if (taken.length === atMost) break;
      const entry = this.entries.get(token);
      if (!entry || (which === 'failed' && entry.sent >= now - this.limit)) continue;
      if (entry.since <= now - KEPT_FOR) {
        this.remove(token);
        continue;
      }
      entry.sent = now;
      this.noteSent(token);
      taken.push(entry);
    }
    return taken;
  }

  /** Resolves when none is left. */
  async whenEmpty(): Promise<void> {
    if (this.entries.size > 0) await new Promise<void>((resolve) => (this.onEmpty = resolve));
  }

  private tokensOf(which: Which): Iterable<string> {
    if (which === 'all') return this.entries.keys();
    return which === 'failed' ? this.failures : this.rejections[which];
  }

  private noteSent(token: string): void {
    this.failures.delete(token);
    for (const kind of ENDINGS) this.rejections[kind].delete(token);
  }

  private remove(token: string): void {
    this.entries.delete(token);
    this.noteSent(token);
    if (this.entries.size === 0) this.onEmpty();
  }
}
