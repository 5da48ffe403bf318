import type { Cluster, Command, Redis } from 'ioredis';
import type { Silence } from '../node-driver.js';
import { HUNG_AFTER } from './redis-client.js';
import { isOfTime } from './redis-errors.js';
import { abandon, reset } from './redis-sockets.js';
import { afterTimeout } from './suspicion.js';

/** What is known of one server; ioredis may replace the object that stands for it. Times are on the monotonic clock. */
interface Server {
  /** When it last sent anything, or the first of the outstanding commands was sent, whichever is later. */
  since: number;
  /** Whether a second connection was not answered, either, or was refused. */
  isHung: boolean;
  /** When it may be looked into again, so that a hung server gets few connections. */
  lookAgainAt: number;
}

/**
 * Finds out which servers of a Cluster are silent: each has a connection of its own, and its silence says nothing about
 * the others.
 */
export class SilentServers {
  private readonly servers = new Map<string, Server>();

  /**
   * @param cluster A client that has not connected yet.
   * @param limit How long one answer may take, in milliseconds.
   */
  constructor(
    private readonly cluster: Cluster,
    private readonly limit: number,
  ) {
    cluster.on('+node', (each: Redis) => this.watch(each));
  }

  /**
   * A command was not answered in time. Looks into the servers that are silent.
   *
   * @param lock What it claims, if it is a claim: then the silence of other servers does not count.
   */
  unanswered(lock?: string): Silence {
    const masters = this.cluster.nodes('master');
    const used = masters.filter((each) => each.status === 'ready' || isAwaited(each));
    const silent = used.filter((each) => this.isSilent(each));
    for (const each of silent) void this.lookInto(each);
    const asked = lock === undefined ? silent : masters.filter((each) => this.hasClaimOf(each, lock));
    // ioredis is about to send it again, because a connection was closed.
    if (lock !== undefined && asked.length === 0) return 'perhaps in part';
    const concerned = asked.filter((each) => silent.includes(each));
    if (concerned.length === 0) return 'none';
    if (silent.length === used.length) return 'complete';
    return concerned.every((each) => this.of(each).isHung) ? 'in part' : 'perhaps in part';
  }

  /** Opens a second connection to a silent server. If that one is answered, resets the first: it is dead. */
  async lookInto(connection: Redis): Promise<void> {
    const server = this.of(connection);
    const now = performance.now();
    if (now < server.lookAgainAt) return;
    server.lookAgainAt = now + HUNG_AFTER * this.limit;
    const second = connection.duplicate().on('error', () => {});
    // If it is refused, the first one is kept: ioredis could not connect again, either.
    const isAnswered = second.time().then(() => true, isOfTime);
    const works = await Promise.race([isAnswered, afterTimeout(this.limit)]);
    abandon(second);
    if (!this.isSilent(connection)) return;
    if (works) reset(connection);
    else server.isHung = true;
  }

  private watch(connection: Redis): void {
    const server = this.of(connection);
    const send = connection.sendCommand.bind(connection);
    connection.sendCommand = (...command) => {
      if (!isAwaited(connection)) server.since = performance.now();
      return send(...command);
    };
    connection.on('connect', () => {
      connection.stream.on('data', () => {
        server.isHung = false;
        server.since = performance.now();
      });
    });
  }

  private isSilent(connection: Redis): boolean {
    const { since, isHung } = this.of(connection);
    return isAwaited(connection) && (isHung || performance.now() - since >= this.limit);
  }

  /** Whether a command about this lock is outstanding. ioredis has put the client's `keyPrefix` in front of the lock. */
  private hasClaimOf(connection: Redis, lock: string): boolean {
    const key = `${this.cluster.options.keyPrefix ?? ''}${lock}`;
    return queuesOf(connection).some((queue) =>
      queue.toArray().some(({ command }) => command.getKeys().includes(key)),
    );
  }

  private of({ options: { host, port } }: Redis): Server {
    const address = `${host}:${port}`;
    let server = this.servers.get(address);
    if (!server) {
      server = { since: Number.POSITIVE_INFINITY, isHung: false, lookAgainAt: Number.NEGATIVE_INFINITY };
      this.servers.set(address, server);
    }
    return server;
  }
}

/** Commands of ioredis that wait for an answer, or for the connection. */
interface Queue {
  readonly length: number;
  toArray(): { readonly command: Command }[];
}

function queuesOf(connection: Redis): Queue[] {
  return ['commandQueue', 'offlineQueue'].map((each) => Reflect.get(connection, each) as Queue);
}

/** Whether a command is outstanding. */
function isAwaited(connection: Redis): boolean {
  return queuesOf(connection).some(({ length }) => length > 0);
}
