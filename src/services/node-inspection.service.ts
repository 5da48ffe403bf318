import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { LockNode, NodeReport } from '../nodes/lock-node.js';
import { InvalidOptionError } from '../redlock.errors.js';
import { LOCK_NODES, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../redlock.options.js';

/** How often the clocks are compared, in milliseconds: once in five minutes. */
const INSPECT_EVERY = 5 * 60 * 1000;
/**
 * From which difference of clocks on it is worth a warning, in milliseconds. The markers of ticks cover a minute, and
 * two instances can be off in opposite directions.
 */
const CLOCK_WARNING = 15_000;

/** Opens the nodes before the first tick, refuses those that cannot vote, and tells the operator what is amiss. */
@Injectable()
export class NodeInspection implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('RedlockModule');
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(LOCK_NODES) private readonly nodes: readonly LockNode[],
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
  ) {}

  /** @throws InvalidOptionError for a read-only replica, and for two nodes that are the same server. */
  async onModuleInit(): Promise<void> {
    if (this.options.nodesLeftOut) {
      this.logger.log(
        'No nodes given: locks are kept in the memory of this process and bind no other instance',
      );
    }
    const wrong = await this.inspect();
    if (wrong) {
      await this.close();
      throw wrong;
    }
    this.timer = setInterval(() => void this.inspectAgain(), INSPECT_EVERY).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.close();
  }

  private async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  private async inspectAgain(): Promise<void> {
    const wrong = await this.inspect();
    if (wrong) this.logger.error(wrong.message);
  }

  /** Asks all nodes, and says what is amiss; resolves to what makes a quorum of them impossible. */
  private async inspect(): Promise<InvalidOptionError | undefined> {
    const answers = await Promise.allSettled(this.nodes.map((node) => node.open()));
    const reports = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined));
    const reached = reports.filter((report) => report !== undefined).length;
    if (reached <= this.nodes.length / 2) {
      const missing = this.nodes.filter((_node, index) => !reports[index]).map((node) => node.address);
      this.logger.warn(
        `No quorum: ${missing.length} of ${this.nodes.length} nodes cannot be reached (${missing.join(', ')})`,
      );
    }
    const identities = new Map<string, number>();
    for (const [index, report] of reports.entries()) {
      if (!report) continue;
      const wrong = this.wrongWith(index, report, identities);
      if (wrong) return wrong;
    }
    return undefined;
  }

  private wrongWith(
    index: number,
    { identity, unfit, warnings, clockOffset }: NodeReport,
    identities: Map<string, number>,
  ): InvalidOptionError | undefined {
    const address = this.nodes[index]?.address;
    const option = `nodes[${index}]`;
    if (unfit !== undefined) return new InvalidOptionError(option, address, unfit);
    if (identity !== undefined) {
      const twin = identities.get(identity);
      if (twin !== undefined) {
        const remedy = `that is the same server as nodes[${twin}] (run_id ${identity}); give independent servers, each once`;
        return new InvalidOptionError(option, address, remedy);
      }
      identities.set(identity, index);
    }
    for (const warning of warnings) this.logger.warn(`Node ${address} ${warning}`);
    if (Math.abs(clockOffset) >= CLOCK_WARNING) {
      const seconds = (Math.abs(clockOffset) / 1000).toFixed(1);
      this.logger.warn(
        `The clock of node ${address} is ${seconds} s ${clockOffset > 0 ? 'ahead of' : 'behind'} the clock of this ` +
          'instance. Ticks are kept apart while all clocks are within 30 s of each other: synchronise them (NTP)',
      );
    }
    return undefined;
  }
}
