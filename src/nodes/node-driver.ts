import type { NodeUnreachableError } from '../errors.js';
import type { Claim, LockNode } from './lock-node.js';
import type { NodeLog } from './node-log.js';
import type { Ending } from './undelivered.js';

/** What every kind of node is created with. */
export interface NodeSettings {
  /** How long one answer may take, in milliseconds. */
  readonly nodeTimeout: number;
  /** The name of its connections, as in `CLIENT LIST`. */
  readonly connectionName: string;
  /** Whether it is the only node: its messages then speak of Redis, and not of votes. Default: `false`. */
  readonly isAlone?: boolean;
}

/** What a `BoundedNode` needs from a node, in addition to the contract, to handle commands that hang or get lost. */
export interface NodeDriver extends LockNode {
  readonly log: NodeLog;
  /** The names of these keys in the store, for messages. Default: unchanged, in quotes. */
  shownKeys?(keys: readonly string[]): string;
  /**
   * Called once, before any command. The node calls `resend` when lost commands can be sent again: all of them, or only
   * those that have failed (see `Which`).
   */
  onRecovery(resend: (which: 'all' | 'failed') => void): void;
  /** Sends a settle or a release again. */
  resend(ending: Ending, claim: Claim, token: string): Promise<boolean>;
  /**
   * Waits until it is known whether commands can be sent, and rejects if it turns out that they cannot. `undefined` if
   * there is nothing to wait for: then a command that cannot be sent rejects by itself.
   */
  usable(): Promise<void> | undefined;
  /**
   * Tells `log` that a command was rejected, and returns what that means.
   *
   * @param isLate Whether the deadline of the command had passed: then the rejection does not show that the node cannot
   * vote.
   * @param mayStillVote Whether a node that refuses this command may still vote: `true` for reads, registers and
   * pauses, and for what is sent again.
   * @param claim What the command claims, settles or releases.
   */
  rejected(error: unknown, isLate?: boolean, mayStillVote?: boolean, claim?: Claim): Rejection;
  /** Called when a command was not answered in time. @param claim What it claims, if it is a claim. */
  unanswered(claim?: Claim): Silence;
}

/**
 * Whether a node that did not answer a command is silent, that is, connected and without another answer since.
 *
 * - `'none'`: it has answered something else, or is not connected.
 * - `'complete'`: no server that is in use answers.
 * - `'in part'`: a server of a Cluster (for a claim: the one that has the lock) is silent, but others may vote.
 * - `'perhaps in part'`: the same, unless the network has only dropped the connection to that server.
 */
export type Silence = 'none' | 'perhaps in part' | 'in part' | 'complete';

/** What the rejection of a command means. */
export interface Rejection {
  /**
   * What became of the command. `'refused'`: the node has not carried it out, or not completely, and may do so when it
   * is sent again. `'refused for good'`: the node would refuse it again.
   */
  readonly fate: 'refused' | 'refused for good' | 'not sent' | 'unknown';
  /** What the caller is told. */
  readonly cause: NodeUnreachableError;
}
