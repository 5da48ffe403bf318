import { Inject, Injectable, Logger } from '@nestjs/common';
import { answersOthers } from '../acquire/outcome.js';
import type { Clock, Timer } from '../clock.js';
import { BoundedNode } from '../nodes/bounded-node.js';
import type { LockNode, NodeReport } from '../nodes/lock-node.js';
import { redacted } from '../display.js';
import { errorOf, InvalidOptionError } from '../errors.js';
import { MODULE } from '../checks.js';
import { CLOCK, LOCK_NODES, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../options/options.js';
import { LeaseRegistry } from './lease-registry.service.js';
import { NodeHealthWatch } from './node-health-watch.service.js';
import { OperatorLog } from './operator-log.service.js';

/** How often the nodes are inspected, in milliseconds: every five minutes. */
const INSPECT_EVERY = 5 * 60 * 1000;
/**
 * The smallest clock difference that is logged, in milliseconds. The guarantees allow clocks to differ by 30 s, and two
 * instances can each be off by half of that, in opposite directions.
 */
const CLOCK_WARNING = 15_000;

/**
 * Opens the nodes before the first tick, and refuses those that cannot vote. Inspects them then and every five minutes,
 * and warns about misconfiguration. Closes them at shutdown.
 */
@Injectable()
export class NodeLifecycle {
  private readonly logger = new Logger('RedlockModule');
  private timer: Timer | undefined;
  /** The flaws that the last inspection found. */
  private known: ReadonlyMap<string, string> = new Map();
  private closing: Promise<unknown> | undefined;

  constructor(
    @Inject(LOCK_NODES) private readonly nodes: readonly LockNode[],
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly log: OperatorLog,
    private readonly leases: LeaseRegistry,
    private readonly health: NodeHealthWatch,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @throws InvalidOptionError for a server that cannot vote, such as a read-only replica, and for two nodes that are
   * the same server.
   */
  async open(): Promise<void> {
    if (this.options.nodesOmitted) {
      this.logger.warn(
        'nodes is not set: locks are kept in the memory of this application, and do not exclude other applications or instances',
      );
    }
    const refusal = await this.inspect();
    if (refusal) throw refusal;
    this.inspectLater();
  }

  /** The locations of the nodes, for messages. */
  get addresses(): string {
    return this.nodes.map(({ address }) => address).join(', ');
  }

  /** Closes the module's own connections, once: NestJS 11 calls the hooks again for each `app.close()`. */
  async close(): Promise<void> {
    this.clock.clearTimeout(this.timer);
    this.closing ??= Promise.all(this.nodes.map((node) => node.close()));
    await this.closing;
  }

  private inspectLater(): void {
    if (this.leases.isClosed) return;
    this.timer = this.clock.setTimeout(() => void this.inspectAgain(), INSPECT_EVERY).unref();
  }

  private async inspectAgain(): Promise<void> {
    this.inspectLater();
    const refusal = await this.inspect();
    if (refusal) this.logger.error(refusal.message);
  }

  /**
   * Inspects all nodes and warns about their flaws, unless the application closes. Resolves to the error for the first
   * node that must not be used, if any.
   */
  private async inspect(): Promise<InvalidOptionError | undefined> {
    if (this.leases.isClosed) return undefined;
    const answers = await Promise.allSettled(this.nodes.map((node) => node.open()));
    // The application may have closed the nodes meanwhile.
    if (this.leases.isClosed) return undefined;
    const reports = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined));
    const missing = answers.flatMap((answer) => {
      const error = answer.status === 'rejected' ? errorOf(answer.reason) : undefined;
      return error && !answersOthers(error) ? [error] : [];
    });
    for (const [index, node] of this.nodes.entries()) {
      const offset = reports[index]?.clockOffset;
      if (offset !== undefined) this.health.told(node, offset);
    }
    const answered = answers.filter(({ status }) => status === 'fulfilled').length;
    if (2 * missing.length >= this.nodes.length) this.log.quorumLost(missing);
    else if (2 * answered > this.nodes.length) this.log.quorumAnswered();
    this.warn(new Map(this.flaws(reports)));
    return this.refusalOf(reports);
  }

  /** Warns about each flaw when it appears, not each time it is seen. */
  private warn(flaws: ReadonlyMap<string, string>): void {
    for (const [flaw, message] of flaws) if (!this.known.has(flaw)) this.logger.warn(message);
    this.known = flaws;
  }

  private *flaws(reports: readonly (NodeReport | undefined)[]): Iterable<[string, string]> {
    for (const [index, report] of reports.entries()) {
      const title = titleOf(this.nodes[index]);
      for (const warning of report?.warnings ?? []) {
        yield [`${title} ${warning}`, `${title} ${redacted(warning)}`];
      }
      const offset = report?.clockOffset ?? 0;
      if (Math.abs(offset) >= CLOCK_WARNING) {
        const seconds = (Math.abs(offset) / 1000).toFixed(1);
        yield [
          `${title} clock`,
          `The clock of ${title.replace('Node', 'node')} is ${seconds} s ${offset > 0 ? 'ahead of' : 'behind'} the clock of this ` +
            'instance. The guarantees hold while all clocks are within 30 s of each other: synchronize them (NTP)',
        ];
      }
    }
  }

  private refusalOf(reports: readonly (NodeReport | undefined)[]): InvalidOptionError | undefined {
    const seen = new Map<string, number>();
    for (const [index, report] of reports.entries()) {
      if (!report) continue;
      const { identity, unfit } = report;
      const error = (problem: string): InvalidOptionError => {
        const address = redacted(this.nodes[index]?.address ?? '');
        return new InvalidOptionError(MODULE, `nodes[${index}]`, `(${address}) ${problem}`);
      };
      if (unfit !== undefined) return error(`cannot be used: ${redacted(unfit)}`);
      if (identity === undefined) continue;
      const twin = seen.get(identity);
      if (twin !== undefined) {
        return error(
          `is the same server as nodes[${twin}] (run_id ${redacted(identity)}): use independent servers, each once`,
        );
      }
      seen.set(identity, index);
    }
    return undefined;
  }
}

function titleOf(node: LockNode | undefined): string {
  return node instanceof BoundedNode ? node.title : redacted(`Node ${node?.address}`);
}
