import type { Cluster, Redis } from 'ioredis';
import type { Claim } from '../lock-node.js';
import { NotSent, type RedisConnection } from './redis-connection.js';
import { isReadOnly } from './redis-errors.js';
import { argumentsOf, isExpired, isPlain } from './script-call.js';
import { CLAIM, EXTEND, RELEASE, RELEASE_LOCK, type Script, SETTLE } from './scripts.js';
import type { ServerClock } from './server-clock.js';

/** The server has answered, but no longer in time to grant anything. */
export class AnsweredLate extends NotSent {
  constructor() {
    super('it answers too slowly');
  }
}

/** Sends a node's commands, and returns the raw replies. Rejects with the error of the server or the connection. */
export class RedisCommands {
  /** @param nodeTimeout How long the caller waits for an answer, in milliseconds. */
  constructor(
    private readonly connection: RedisConnection,
    private readonly clock: ServerClock,
    private readonly nodeTimeout: number,
  ) {}

  /** @param onSet Called if SET has answered: then the server accepts writes. */
  claim(claim: Claim, token: string, ttl: number, onSet: () => void): Promise<unknown> {
    const until = performance.now() + this.nodeTimeout;
    return isPlain(claim)
      ? this.claimLock(claim, token, ttl, until, onSet)
      : this.ask(CLAIM, claim, token, ttl, until);
  }

  extend(claim: Claim, token: string, ttl: number): Promise<unknown> {
    return this.ask(EXTEND, claim, token, ttl, performance.now() + this.nodeTimeout);
  }

  /** @param isWhole Whether to send the source: a retry after NOSCRIPT would put the script behind other commands. */
  settle(claim: Claim, token: string, isWhole: boolean): Promise<unknown> {
    return this.send(isPlain(claim) ? RELEASE_LOCK : SETTLE, claim, token, 0, 0, isWhole);
  }

  /** @param isWhole As for `settle`. */
  release(claim: Claim, token: string, isWhole: boolean): Promise<unknown> {
    return this.send(isPlain(claim) ? RELEASE_LOCK : RELEASE, claim, token, 0, 0, isWhole);
  }

  /**
   * Fast path: a free lock needs only SET NX, which makes a lock cycle 5 to 7 % faster than the script (npm run bench).
   * If the lock is taken, CLAIM tells who holds it; CLAIM also works on a server that forbids SET outside scripts.
   */
  private async claimLock(
    claim: Claim,
    token: string,
    ttl: number,
    until: number,
    onSet: () => void,
  ): Promise<unknown> {
    try {
      const reply = await this.ready().set(claim.lock, token, 'PX', ttl, 'NX');
      onSet();
      if (reply === 'OK') return 1;
    } catch (error) {
      if (!(error instanceof Error && error.name === 'ReplyError') || isReadOnly(error)) throw error;
    }
    return this.ask(CLAIM, claim, token, ttl, until);
  }

  /**
   * Sends a command that the server refuses once the caller no longer waits for it, by the server's clock. If that
   * clock has just been set, the reply contains the server's time, and the command is sent once more.
   */
  private async ask(
    script: Script,
    claim: Claim,
    token: string,
    ttl: number,
    until: number,
  ): Promise<unknown> {
    for (;;) {
      const asked = performance.now();
      // A grant now would be orphaned.
      if (asked >= until) throw new AnsweredLate();
      // Each server of a Cluster has its own clock.
      const deadline = this.connection.client.isCluster ? 0 : this.clock.after(this.nodeTimeout);
      const reply = await this.send(script, claim, token, ttl, deadline, script === EXTEND);
      if (!isExpired(reply)) return reply;
      this.connection.heard();
      this.clock.note(reply[1], asked);
    }
  }

  /** @param deadline The latest time at which the server may run it, by its own clock; 0: at any time. */
  private async send(
    script: Script,
    claim: Claim,
    token: string,
    ttl: number,
    deadline: number,
    isWhole: boolean,
  ): Promise<unknown> {
    const client = this.ready();
    const values = argumentsOf(script, claim, token, ttl, deadline);
    // An extension is one command: a second attempt could arrive after the settle, and take the lock again.
    if (isWhole) return client.eval(script.lua, ...values);
    try {
      return await client.evalsha(script.sha, ...values);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return client.eval(script.lua, ...values);
    }
  }

  private ready(): Redis | Cluster {
    if (!this.connection.isReady) throw new NotSent('not connected');
    return this.connection.client;
  }
}
