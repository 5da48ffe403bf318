interface Entry {
  value: string;
  /** For the marker of a tick: whether its claim may be taken over. */
  isRecoverable?: boolean;
  /** By the clock of the store. */
  endsAt: number;
}

/** How often expired entries are removed, in milliseconds: those that are never read again must go, too. */
const SWEEP_EVERY = 1000;

/** Strings that expire, each at its own time, like the keys of Redis. */
export class ExpiringEntries {
  private readonly entries = new Map<string, Entry>();
  private sweepAt = 0;

  /** @param elapsed The time, in milliseconds since an arbitrary moment. */
  constructor(private readonly elapsed: () => number) {}

  read(key: string): string | undefined {
    return this.entry(key)?.value;
  }

  entry(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    return entry && entry.endsAt > this.elapsed() ? entry : undefined;
  }

  /** The values of all keys that begin with `start`. */
  valuesOf(start: string): string[] {
    const keys = [...this.entries.keys()].filter((key) => key.startsWith(start));
    return keys.flatMap((key) => this.read(key) ?? []);
  }

  /** @param ttl In milliseconds. */
  write(key: string, value: string, ttl: number, isRecoverable = false): void {
    this.entries.set(key, { value, endsAt: this.elapsed() + ttl, isRecoverable });
  }

  removeIfHeld(key: string, token: string): boolean {
    return this.read(key) === token && this.entries.delete(key);
  }

  /** Lets an entry of `token` live for `ttl` milliseconds from now, whether that is shorter or longer. */
  setTtlIfHeld(key: string, token: string, ttl: number): void {
    const entry = this.entry(key);
    if (entry?.value === token) entry.endsAt = this.elapsed() + ttl;
  }

  /** Lets an entry live for at most `ttl` milliseconds from now. */
  shorten(entry: Entry, ttl: number): void {
    entry.endsAt = Math.min(entry.endsAt, this.elapsed() + ttl);
  }

  /** How long an entry still lives, in milliseconds. */
  left(entry: Entry): number {
    return entry.endsAt - this.elapsed();
  }

  sweep(): void {
    const now = this.elapsed();
    if (now < this.sweepAt) return;
    this.sweepAt = now + SWEEP_EVERY;
    for (const [key, entry] of this.entries) if (entry.endsAt <= now) this.entries.delete(key);
  }
}
