import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { quoted } from '../../display.js';
import { errorOf, NodeUnreachableError } from '../../errors.js';
import { Deadline } from '../deadline.js';
import type { JobKeyNames, JobView, Pause, Register } from '../job-view.js';
import type { Claim, NodeReport, Vote } from '../lock-node.js';
import type { NodeDriver, NodeSettings, Rejection, Silence } from '../node-driver.js';
import { ALONE, GRACE, lastingKeys, NodeLog } from '../node-log.js';
import type { Ending } from '../undelivered.js';
import { addressOf, titleOf } from './address.js';
import { CLOSED, NO_MASTER } from './causes.js';
import { inspectServer } from './inspect-server.js';
import { AnsweredLate, RedisCommands } from './redis-commands.js';
import { noAnswer } from './diagnosis.js';
import { clientLike, newClient } from './redis-client.js';
import { RedisConnection } from './redis-connection.js';
import {
  endOfRefusal,
  fateOf,
  isOfOneClaim,
  isOfOneCommand,
  isOfOneServer,
  NotSent,
  Unserved,
} from './redis-errors.js';
import { ServerClock } from './server-clock.js';

/** One Redis server, Sentinel group or Cluster. Sends nothing unless the connection is ready. */
export class RedisNode implements NodeDriver {
  readonly address: string;
  readonly log: NodeLog;
  private readonly connection: RedisConnection;
  private readonly commands: RedisCommands;
  private readonly clock = new ServerClock();
  private readonly inspection: Deadline;
  private readonly silence: string;
  private resendLost: (which: 'all') => void = () => {};

  private constructor(client: Redis | Cluster, { nodeTimeout, isAlone = false }: NodeSettings) {
    this.address = addressOf(client);
    this.log = isAlone ? new NodeLog(titleOf(client), ALONE) : new NodeLog(`Node ${this.address}`);
    this.silence = noAnswer(nodeTimeout);
    this.inspection = new Deadline(nodeTimeout, () => this.silent());
    this.connection = new RedisConnection(client, nodeTimeout, {
      onReady: () => this.onReady(),
      onTrouble: (what) => {
        // ioredis 5 also emits an error when the connection has been closed, which says less.
        const saysLess = what === CLOSED || (what === NO_MASTER && this.log.trouble !== undefined);
        if (!saysLess) this.log.troubled(what);
      },
      onClose: (why) => this.log.closed(why, GRACE),
      onTime: (time, asked) => this.clock.note(time, asked),
    });
    this.commands = new RedisCommands(this.connection, this.clock, this.log, nodeTimeout, (claim, error) =>
      this.unrecorded(claim, error),
    );
  }

  /** A node whose connection is made from options, by `open` or by the first claim. */
  static connecting(options: RedisOptions, settings: NodeSettings): RedisNode {
    return new RedisNode(newClient(options, settings), settings);
  }

  /**
   * A node with a connection like that of an application's client. The client itself is left alone: it may queue
   * commands, be busy with a blocking one, or be closed before the last lock is released.
   */
  static like(client: Redis | Cluster, settings: NodeSettings): RedisNode {
    return new RedisNode(clientLike(client, settings), settings);
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    return this.commands.claim(claim, token, ttl);
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    return this.commands.extend(claim, token, ttl);
  }

  settle(claim: Claim, token: string, record?: string): Promise<boolean> {
    return this.commands.end({ kind: 'settle', record }, claim, token, false);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    return this.commands.end({ kind: 'release' }, claim, token, false);
  }

  look(job: JobKeyNames, limit: number): Promise<JobView> {
    return this.commands.look(job, limit);
  }

  pause(key: string, pause?: Pause): Promise<Pause | undefined> {
    return this.commands.pause(key, pause);
  }

  register(register: Register, id: string, keep: number, content?: string): Promise<boolean> {
    return this.commands.register(register, id, keep, content);
  }

  registered(register: Register): Promise<readonly string[]> {
    return this.commands.registered(register);
  }

  resend(ending: Ending, claim: Claim, token: string): Promise<boolean> {
    return this.commands.end(ending, claim, token, true);
  }

  async open(): Promise<NodeReport> {
    await this.connection.connected();
    const heard = (reply: unknown): unknown => {
      this.connection.heard();
      return reply;
    };
    return inspectServer(this.connection.client, this.clock, (answer) =>
      this.inspection.within(answer, heard, errorOf),
    );
  }

  async close(): Promise<void> {
    await this.connection.close();
    this.inspection.stop();
  }

  /** ioredis adds the prefix of its client, and a client has one database. */
  shownKeys(keys: readonly string[]): string {
    const { keyPrefix = '', db = 0 } = this.connection.client.options as RedisOptions;
    const shown = keys.map((key) => quoted(`${keyPrefix}${key}`)).join(', ');
    return db === 0 ? shown : `${shown} in database ${db}`;
  }

  onRecovery(resend: (which: 'all') => void): void {
    this.resendLost = resend;
  }

  usable(): Promise<void> | undefined {
    return this.connection.usable();
  }

  unanswered(claim?: Claim): Silence {
    return this.connection.unanswered(claim?.lock);
  }

  rejected(thrown: unknown, isLate = false, mayStillVote = false, claim?: Claim): Rejection {
    const { address, log } = this;
    const error = errorOf(thrown);
    const rejection = (why: string, scope: NodeUnreachableError['scope']): Rejection => ({
      fate: fateOf(error),
      cause: new NodeUnreachableError(address, why, scope, log.title),
    });
    if (error instanceof AnsweredLate) return rejection(error.message, 'slow');
    // A command that was not sent says nothing about the node. If an inspection met with silence, the log knows that.
    if (error instanceof NotSent) return rejection(log.trouble ?? error.message, 'unsent');
    const why = this.connection.diagnosis.of(error);
    // The user may lack permission only for commands that are not votes.
    const scope = mayStillVote && isOfOneCommand(error) ? 'command' : 'lock';
    if (this.isOfOneClaim(error)) {
      if (claim && !isLate) log.refusingClaim(claim, why, this.remedyOf(claim, error), endOfRefusal(error));
      return rejection(why, scope);
    }
    // A close is logged when it happens. If the log has no trouble, the silent connection has been replaced.
    if (why === CLOSED) {
      const isReplaced = !this.connection.client.isCluster;
      return rejection(log.trouble ?? (isReplaced ? this.silence : why), 'connection');
    }
    if (scope === 'command') return rejection(why, scope);
    if (!isLate) log.refusing(why, error.name === 'ReplyError' ? endOfRefusal(error) : 'claim');
    return rejection(why, 'server');
  }

  private unrecorded(claim: Claim, error: Error): void {
    this.log.unrecorded(claim, this.connection.diagnosis.of(error), this.remedyOf(claim, error));
  }

  private silent(): Error {
    const why = this.silence;
    const silence = this.connection.unanswered();
    if (silence === 'complete') this.log.troubled(why, GRACE);
    if (silence === 'none' && this.connection.isReady) return new AnsweredLate();
    return silence.endsWith('in part') ? new Unserved(why) : new NotSent(why);
  }

  private onReady(): void {
    this.log.connected();
    this.resendLost('all');
  }

  /** Whether a refusal is about one claim. In a Cluster, a server that is busy refuses only the claims of its slots. */
  private isOfOneClaim(error: Error): boolean {
    return isOfOneClaim(error) || (this.connection.client.isCluster && isOfOneServer(error));
  }

  /** What to do about a refusal, as the end of a sentence. */
  private remedyOf(claim: Claim, { message }: Error): string {
    const keys = lastingKeys(claim);
    const isForeignKey = /WRONGTYPE|attempt to/.test(message) && keys.length > 0;
    if (!isForeignKey) return '';
    return `. Its keys are ${this.shownKeys(keys)}: delete what something else has written`;
  }
}
