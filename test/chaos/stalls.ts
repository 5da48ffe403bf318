import type { Span } from '../fleet/conditions.js';
import { monotonicNow } from '../fleet/log.js';

const BEAT = 50;
/** From this long on, in milliseconds, answers can come too late: a good part of `nodeTimeout`. */
const STALL = 250;
/** Until what was held up has come through, in milliseconds. */
const AFTERMATH = 500;

/** The times in which this process stood still: the proxies live in it, so that nobody could reach any node. */
export class Stalls {
  readonly spans: Span[] = [];
  private last = monotonicNow();
  private readonly timer = setInterval(() => this.beat(), BEAT);

  stop(): void {
    clearInterval(this.timer);
  }

  private beat(): void {
    const now = monotonicNow();
    if (now - this.last > STALL) this.spans.push({ from: this.last, until: now + AFTERMATH });
    this.last = now;
  }
}
