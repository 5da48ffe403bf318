import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { NodeUnreachableError } from '../../errors.js';
import { Deadline } from '../deadline.js';
import type { Claim, LockNode, NodeReport, Vote } from '../lock-node.js';
import { type Done, lastingKeys, NodeLog } from '../node-log.js';
import { addressOf } from './address.js';
import { inspectServer } from './inspect-server.js';
import { AnsweredLate, RedisCommands } from './redis-commands.js';
import { clientLike, newClient, type RedisNodeSettings } from './redis-client.js';
import { NotSent, RedisConnection } from './redis-connection.js';
import { CLOSED, endOfRefusal, explained, isOfOneClaim, isReadOnly } from './redis-errors.js';
import { heldOf, isPlain, isRefused, voteOf } from './script-call.js';
import { ServerClock } from './server-clock.js';
import { type Ending, UndeliveredCommands } from './undelivered.js';

export type { RedisNodeSettings } from './redis-client.js';

/** How long a connection may take to come back before its loss is logged, in milliseconds. */
const GRACE = 1000;

/**
 * One Redis server, Sentinel group or Cluster as a voting node. Answers within `nodeTimeout`, whatever Redis does, and
 * sends nothing unless the connection is ready.
 */
export class RedisNode implements LockNode {
  readonly address: string;
  private readonly connection: RedisConnection;
  private readonly commands: RedisCommands;
  private readonly deadline: Deadline;
  private readonly clock = new ServerClock();
  private readonly undelivered = new UndeliveredCommands();
  private readonly log: NodeLog;

  private constructor(
    client: Redis | Cluster,
    private readonly settings: RedisNodeSettings,
  ) {
    const { nodeTimeout } = settings;
    this.address = addressOf(client);
    this.log = new NodeLog(this.address);
    this.deadline = new Deadline(nodeTimeout, (error) => this.failure(error));
    this.connection = new RedisConnection(client, nodeTimeout, {
      onReady: () => this.onReady(),
      onTrouble: (what) => this.log.troubled(what),
      onClose: () => this.log.closed(CLOSED, GRACE),
      onTime: (time, asked) => this.clock.note(time, asked),
    });
    this.commands = new RedisCommands(this.connection, this.clock, nodeTimeout);
  }

  /** A node whose connection is made from options, by `open` or by the first claim. */
  static connecting(options: RedisOptions, settings: RedisNodeSettings): RedisNode {
    return new RedisNode(newClient(options, settings), settings);
  }

  /**
   * A node with a connection like that of an application's client. The client itself is left alone: it may queue
   * commands, be busy with a blocking one, or be closed before the last lock is released.
   */
  static like(client: Redis | Cluster, settings: RedisNodeSettings): RedisNode {
    return new RedisNode(clientLike(client, settings), settings);
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    if (!this.connection.isUncertain) return this.claimNow(claim, token, ttl);
    return this.usable().then(() => this.claimNow(claim, token, ttl));
  }

  private claimNow(claim: Claim, token: string, ttl: number): Promise<Vote> {
    // Until there is an answer, the claim may have been granted.
    const release = this.undelivered.add('release', claim, token);
    let hasSet = false;
    return this.deadline.within(
      this.commands.claim(claim, token, ttl, () => (hasSet = true)),
      (reply) => {
        const vote = voteOf(reply);
        this.undelivered.delivered(release);
        const isGranted = vote.kind === 'granted';
        const ran = !isPlain(claim) || !isGranted;
        const wrote = hasSet || (isGranted && ran) || ('rank' in vote && vote.rank !== undefined);
        return this.heard(claim, vote, { wrote, ran });
      },
      (late) => {
        this.undelivered.delivered(release);
        this.connection.heard();
        if (!isRefused(late)) void this.release(claim, token).catch(() => {});
      },
      (error) => {
        if (error instanceof NotSent || isFinal(error)) this.undelivered.delivered(release);
        if (this.isOfOneClaim(error)) this.refuseClaim(claim, error);
      },
    );
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    return this.deadline.within(
      this.commands.extend(claim, token, ttl),
      (reply) => {
        const isHeld = heldOf(reply);
        return this.heard(claim, isHeld, { wrote: isHeld, ran: true });
      },
      () => this.connection.heard(),
    );
  }

  settle(claim: Claim, token: string): Promise<boolean> {
    return this.deliver('settle', claim, token);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    return this.deliver('release', claim, token);
  }

  async open(): Promise<NodeReport> {
    await this.connection.connected().catch((error: unknown) => Promise.reject(this.failure(error)));
    return inspectServer(this.connection.client, this.clock, (answer) =>
      this.deadline.within(answer, (value) => value),
    );
  }

  async close(): Promise<void> {
    this.log.stop();
    // A settle may still be in flight over a new connection.
    const limit = pause(this.settings.nodeTimeout, undefined, { ref: false });
    await Promise.race([this.undelivered.empty(), limit]);
    await this.connection.close();
  }

  private onReady(): void {
    this.log.connected();
    for (const { ending, claim, token } of this.undelivered.takeAll()) {
      void this.deliver(ending, claim, token, true).catch(() => {});
    }
  }

  private async usable(): Promise<void> {
    await this.connection.usable().catch((error: unknown) => Promise.reject(this.failure(error)));
  }

  /** Sends a command that must arrive: unless it is answered, it is sent again over the next connection. */
  private deliver(ending: Ending, claim: Claim, token: string, isWhole = false): Promise<boolean> {
    const command = this.undelivered.add(ending, claim, token);
    return this.deadline.within(
      this.commands[ending](claim, token, isWhole),
      (reply) => {
        const isHeld = heldOf(reply);
        this.undelivered.delivered(command);
        // Even a server that can grant nothing, such as one without memory, can release a lock.
        const wrote = isHeld && ending === 'settle' && !isPlain(claim);
        return this.heard(claim, isHeld, { wrote, ran: true });
      },
      () => {
        this.undelivered.delivered(command);
        this.connection.heard();
      },
      // The connection may break long after the deadline.
      (error) => {
        if (isFinal(error)) this.undelivered.delivered(command);
      },
    );
  }

  private heard<Answer>(claim: Claim, answer: Answer, done: Done): Answer {
    this.connection.heard();
    this.log.answered(claim, done);
    return answer;
  }

  /** Whether a refusal is about one claim: for a Cluster, also one of the server that has its keys. */
  private isOfOneClaim(error: unknown): error is Error {
    if (isOfOneClaim(error)) return true;
    return isFinal(error) && this.connection.client.isCluster && endOfRefusal(error) === 'write';
  }

  private refuseClaim(claim: Claim, error: Error): void {
    const keys = lastingKeys(claim).join(', ');
    const isForeignKey = /WRONGTYPE|attempt to/.test(error.message) && keys !== '';
    const remedy = isForeignKey ? `. Its keys are ${keys}: delete what something else has written` : '';
    this.log.refusingClaim(claim, explained(error.message), remedy);
  }

  /** @param error What a command was rejected with; `undefined`: no answer came. */
  private failure(error: unknown): NodeUnreachableError {
    const { address, log } = this;
    if (error === undefined) {
      const why = log.trouble ?? `no answer within ${this.settings.nodeTimeout} ms`;
      // While it answers other commands, it is slow, not gone.
      if (!this.connection.unanswered()) return new NodeUnreachableError(address, why, 'slow');
      log.troubled(why, GRACE);
      return new NodeUnreachableError(address, why);
    }
    const message = error instanceof Error ? error.message : 'no error was given';
    if (error instanceof AnsweredLate) return new NodeUnreachableError(address, message, 'slow');
    // A command that was not sent says nothing about the node.
    if (error instanceof NotSent) return new NodeUnreachableError(address, log.trouble ?? message);
    if (isFinal(error)) this.connection.heard();
    const why = message === log.trouble ? message : explained(message);
    if (this.isOfOneClaim(error)) return new NodeUnreachableError(address, why, 'lock');
    // A close is logged when it happens; this error may be about a connection that has been replaced.
    if (why === CLOSED) return new NodeUnreachableError(address, why);
    const isReply = error instanceof Error && error.name === 'ReplyError';
    log.refusing(why, isReply ? endOfRefusal(error) : 'script');
    return new NodeUnreachableError(address, why, 'server');
  }
}

/** Whether the server would refuse the command again. Not after READONLY: the address may lead to another server. */
function isFinal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError' && !isReadOnly(error);
}
