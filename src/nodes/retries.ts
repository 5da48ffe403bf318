import type { Ending, Undelivered, UndeliveredCommands } from './undelivered.js';

/** The delays, in milliseconds: a server that is busy, or short of replicas, often recovers within a moment. */
const SHORTEST_DELAY = 100;
const LONGEST_DELAY = 1000;

/** How many rejected commands of one kind are on their way at a time. */
const AT_ONCE = 10;

/**
 * Sends the rejected settles, or the rejected releases, again, in passes, a few at a time. The delay before a pass
 * doubles with each pass, up to a second, and is short again once none is left.
 *
 * Each kind has passes of its own: while a server of a Cluster is dead, hundreds of releases for it wait, and each
 * takes long to fail. If a settle waited for them, its lease could end first, and the tick could run again.
 *
 * A pass stops after the first few commands if the node rejects these as well. It tries all if the node has accepted
 * any command since the last pass: in a Cluster, one server may accept commands while another rejects them.
 */
export class Retries {
  private delay = SHORTEST_DELAY;
  private timer: NodeJS.Timeout | undefined;
  private isInPass = false;
  private isStopped = false;
  /** Whether the node has accepted a command since the last pass. */
  private hasAccepted = false;

  /** @param send Sends a command, and rejects if it was not accepted. */
  constructor(
    private readonly kind: Ending['kind'],
    private readonly undelivered: UndeliveredCommands,
    private readonly send: (command: Undelivered) => Promise<unknown>,
  ) {}

  /** A command was rejected. */
  rejected(): void {
    if (this.isStopped || this.isInPass || this.timer || this.left === 0) return;
    this.hasAccepted = false;
    this.timer = setTimeout(() => void this.pass(), this.delay).unref();
    this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
  }

  /** A command was accepted. */
  accepted(): void {
    this.hasAccepted = true;
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private async pass(): Promise<void> {
    this.timer = undefined;
    this.isInPass = true;
    let { left } = this;
    const oneByOne = async (): Promise<void> => {
      while (left-- > 0 && !this.isStopped) {
        const [command] = this.undelivered.take(this.kind, 1);
        await (command && this.send(command).catch(() => {}));
        if (!this.hasAccepted) return;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, oneByOne));
    this.isInPass = false;
    if (this.left > 0) this.rejected();
    else this.delay = SHORTEST_DELAY;
  }

  private get left(): number {
    return this.undelivered.rejectedCount(this.kind);
  }
}
