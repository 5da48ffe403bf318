import { quoted } from '../../display.js';
import { COMMANDS } from './scripts.js';

/** The reason given for a node whose connection has ended. */
export const CLOSED = 'the connection was closed';
/** The same for a Cluster: ioredis does not say more about it. */
export const CLUSTER_CLOSED = 'its servers cannot be reached, or its state is not ok (see CLUSTER INFO)';

/** The server of a Cluster that has the slot, as the others say, cannot be reached. @param address Its address. */
export function unreachable(address?: string): string {
  const named = address === undefined ? '' : ` (${address})`;
  return `the server of the Cluster that has its keys${named} cannot be reached: start it again, or fail over to a replica; behind NAT, set natMap`;
}

/** Each server of a Cluster says that another one has the slot. */
export const CONTESTED =
  'the servers of the Cluster do not agree on which of them has the slot of its keys (MOVED): see redis-cli --cluster check';

/**
 * ioredis can also report this without asking a Sentinel: if the previous attempt ended at the last Sentinel of its
 * list, it reports this first, and asks the first Sentinel only in its next attempt.
 */
export const NO_MASTER = 'no Sentinel names a master of that group';

/** What is known about a connection, in addition to its error. */
interface Circumstances {
  readonly isTls: boolean;
  /** What the server has sent so far, if the connection could not be used yet. */
  readonly greeting?: string;
}

const CORRECT = 'correct the host or the port in nodes';
const NO_TLS = 'it does not speak TLS ($1): use a redis URL instead of a rediss URL, or its TLS port';

/** What an error means, and what to do about it. The whole message is replaced. */
const CAUSES: readonly [message: RegExp, cause: string][] = [
  // `maxRetriesPerRequest` is an internal setting (0), so the user should not read about it.
  [
    /^Reached the max retries.*|^Connection is closed.*|^Cluster is ended.*|.*enableOfflineQueue options is false.*/s,
    CLOSED,
  ],
  [/^NOAUTH.*/s, 'it requires a password (NOAUTH): set the password in nodes'],
  [
    /^(WRONGPASS|ERR invalid password).*/s,
    'it refuses the user name or the password ($1): correct them in nodes',
  ],
  [
    /^LOADING.*/s,
    'it is loading its data into memory (LOADING): wait; it will be used as soon as it has finished',
  ],
  [
    /^ERR (max number of clients).*/s,
    'it has reached its maximum number of connections ($1): raise its maxclients, or close other connections',
  ],
  [
    /^DENIED.*/s,
    'it is in protected mode (DENIED), which allows only connections from its own machine: set a password on it',
  ],
  [/^MOVED .*/s, 'it is one server of a Cluster (MOVED): pass a Cluster of ioredis in nodes'],
  [
    /^(TRYAGAIN|ASK) .*/s,
    'the slot of its keys is being moved to another server of the Cluster ($1); if that does not end, finish it with redis-cli --cluster fix',
  ],
  [/^ERR This instance has cluster support disabled.*/s, 'it is not a Cluster: pass its URL in nodes'],
  [
    /^ERR unknown command ['`]sentinel.*/is,
    'the servers in the option sentinels are not Sentinels: list the Sentinels, with their ports, or use host and port',
  ],
  [/^All sentinels are unreachable.*/s, NO_MASTER],
  [/^ERR No such master.*/s, 'no Sentinel knows a group of that name: correct the option name in nodes'],
  [/.*(wrong version number|packet length too long|record layer failure).*/s, NO_TLS],
  [
    /.*alert (certificate required|handshake failure|bad certificate).*/s,
    'it refuses the TLS handshake ($1): it may require a client certificate, set with tls: { cert, key }',
  ],
  [
    /^(self[- ]signed certificate.*|unable to (?:verify|get) .*)/s,
    'its certificate is not trusted ($1): set tls: { ca } in nodes, or NODE_EXTRA_CA_CERTS',
  ],
  [/^(certificate has expired|certificate is not yet valid).*/s, 'its $1: renew it, or correct the clock'],
  [
    /^Hostname\/IP does not match certificate's altnames: (.*)/s,
    'its certificate is for other hosts ($1): use one of them as the host, or as servername in tls',
  ],
  [/.*error:[\dA-F]+:SSL routines:[^:]*:([^:]+):.*/s, 'the TLS connection failed ($1)'],
  [
    /^(?:Unknown RESP type \d+|Protocol error, got) "(.)".*/s,
    `it does not speak the Redis protocol (it sends "$1"): ${CORRECT}`,
  ],
];

/** The message of an error. A known message is replaced by one that says what it means, or what to do. */
export function explained(error: Error, circumstances: Circumstances = { isTls: false }): string {
  const message = messageOf(error);
  if (message === CLOSED || /\b(EPIPE|ECONNRESET)\b|socket disconnected before secure TLS/.test(message)) {
    return closed(message, circumstances);
  }
  const problem = problemInGreeting(circumstances.greeting);
  if (problem !== undefined) return problem;
  if (/\bETIMEDOUT$/.test(message) && circumstances.isTls) {
    return `no TLS connection in time (${message}): does it speak TLS? If it does not, use a redis URL instead of a rediss URL`;
  }
  return message;
}

function messageOf(error: Error): string {
  // For a Cluster or a Sentinel group, the error of one server says more than the error of the group.
  const last = Reflect.get(error, 'lastNodeError') as unknown;
  if (last instanceof Error) return ofGroup('server of the Cluster', last);
  const ofSentinel = /^All sentinels are unreachable.*? Last error: (.*)/s.exec(error.message)?.[1];
  if (ofSentinel !== undefined) return ofGroup('Sentinel', new Error(ofSentinel));
  // What is cut off is about our scripts, or lists keys and tokens, which differ each time.
  const told = error.message.replace(
    /, with args beginning with.*| script: (?:[\da-f]{40}, )?on @user_script.*/s,
    '',
  );
  // Up to Redis 7.0, the error of a script does not name the forbidden command: list all needed ones.
  if (/^NOPERM(?!.* '(info|select|client)[| '])|can't run this command|ACL failure in script/.test(told)) {
    return `${told}; its user needs ${COMMANDS} on the keys of all jobs`;
  }
  const known = CAUSES.find(([pattern]) => pattern.test(told));
  return known ? told.replace(...known) : told;
}

function ofGroup(member: string, last: Error): string {
  const message = messageOf(last);
  if (message === CLOSED) return `no ${member} can be reached`;
  return message === last.message ? `no ${member} can be used: ${message}` : message;
}

/** What the end of a connection means. */
function closed(message: string, { isTls, greeting }: Circumstances): string {
  if (greeting === undefined) return message === CLOSED ? CLOSED : `the connection was lost (${message})`;
  const problem = problemInGreeting(greeting);
  if (problem !== undefined) return problem;
  const how = message === CLOSED ? '' : ` (${message})`;
  const tls = isTls
    ? 'it requires a client certificate or does not speak TLS'
    : 'it requires TLS (a rediss URL)';
  return `it closed the connection at once${how}: it has reached its maxclients, ${tls}, or it is not Redis`;
}

/** The problem that the first words of a server show; `undefined` if they may be those of a usable Redis. */
function problemInGreeting(greeting = ''): string | undefined {
  if (greeting.startsWith('-ERR max number')) return messageOf(new Error(greeting.slice(1)));
  // The alert that a TLS server sends if the client does not speak TLS.
  if (greeting.startsWith('\x15\x03')) return 'it requires TLS: use a rediss URL';
  if (greeting === '' || /^[-+:$*%_,#!=(~>|]/.test(greeting)) return undefined;
  const line = greeting.split(/[\r\n]/, 1).join('');
  return `it is not a Redis server, because it answers ${quoted(line)}: ${CORRECT}`;
}
