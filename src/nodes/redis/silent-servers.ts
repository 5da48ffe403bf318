import type { Cluster, Redis } from 'ioredis';
import type { Silence } from '../node-driver.js';
import { HUNG_AFTER } from './redis-client.js';
import { abandon, prepare, reset, serversOf } from './redis-sockets.js';
import { afterTimeout } from './suspicion.js';

/**
 * Finds out which servers of a Cluster are silent: each has a connection of its own, and its silence says nothing about
 * the others.
 */
export class SilentServers {
  /**
   * Since when a server has sent nothing although commands are outstanding, on the monotonic clock. Without such a
   * command, it means nothing.
   */
  private readonly since = new WeakMap<Redis, number>();
  /** Those to which a second connection was not answered either. */
  private readonly hung = new WeakSet<Redis>();
  /** When a server may be looked into again, so that a hung one gets few connections. */
  private readonly lookAgainAt = new WeakMap<Redis, number>();

  /** @param limit How long one answer may take, in milliseconds. */
  constructor(
    private readonly cluster: Cluster,
    private readonly limit: number,
  ) {
    serversOf(cluster).forEach((each) => this.watch(each));
    cluster.on('+node', (each: Redis) => this.watch(each));
  }

  /** A command was not answered in time. Looks into the servers that are silent. */
  unanswered(): Silence {
    const used = this.cluster
      .nodes('master')
      .filter((each) => each.status === 'ready' || isOutstanding(each));
    const silent = used.filter((each) => this.isSilent(each));
    for (const each of silent) void this.lookInto(each);
    if (silent.length === 0) return 'none';
    if (silent.length === used.length) return 'complete';
    return silent.every((each) => this.hung.has(each)) ? 'in part' : 'perhaps in part';
  }

  /** Opens a second connection to a silent server. If that one is answered, resets the first: it is dead. */
  async lookInto(server: Redis): Promise<void> {
    const now = performance.now();
    if (now < (this.lookAgainAt.get(server) ?? now)) return;
    this.lookAgainAt.set(server, now + HUNG_AFTER * this.limit);
    const fresh = server.duplicate();
    prepare(fresh);
    const isAnswered = fresh.time().then(
      () => true,
      (error: Error) => error.name === 'ReplyError',
    );
    const works = await Promise.race([isAnswered, afterTimeout(this.limit).then(() => false)]);
    abandon(fresh);
    if (!this.isSilent(server)) return;
    if (works) reset(server);
    else this.hung.add(server);
  }

  private watch(server: Redis): void {
    const send = server.sendCommand.bind(server);
    server.sendCommand = (...command) => {
      if (!isOutstanding(server)) this.since.set(server, performance.now());
      return send(...command);
    };
    server.on('connect', () => {
      server.stream.on('data', () => {
        this.hung.delete(server);
        this.since.set(server, performance.now());
      });
    });
  }

  private isSilent(server: Redis): boolean {
    const now = performance.now();
    return isOutstanding(server) && now - (this.since.get(server) ?? now) >= this.limit;
  }
}

/** Whether commands wait for an answer, or for the connection. */
function isOutstanding(server: Redis): boolean {
  const queues = ['commandQueue', 'offlineQueue'].map(
    (each) => Reflect.get(server, each) as { length: number },
  );
  return queues.some(({ length }) => length > 0);
}
