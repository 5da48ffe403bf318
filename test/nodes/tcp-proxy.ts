import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** What a network in trouble lets disappear. */
export type Swallowed = 'nothing' | 'replies' | 'everything';

/** One connection: the side of the client, and the side of the server. */
interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** When it last carried something, on the monotonic clock. */
  lastUsed: number;
  /** Whether the network has dropped it without a word to either side. */
  isForgotten: boolean;
}

/**
 * A network between a client and a server on 127.0.0.1 that can be made slow, lossy, or cut.
 *
 * @example
 * const proxy = await TcpProxy.to(server.port);
 * const client = new Redis(proxy.port, '127.0.0.1');
 * proxy.swallow = 'replies';
 */
export class TcpProxy {
  /** How long every piece of data is under way, in each direction, in milliseconds. */
  delay = 0;
  /** What gets lost. Connections can be made all the same. */
  swallow: Swallowed = 'nothing';
  /** Forgets a connection that is used after it was idle for longer than this, in milliseconds, as load balancers do. */
  idleLimit = Number.POSITIVE_INFINITY;
  /** Whether new connections are refused, as by a server that is away. */
  refuses = false;
  /** What becomes of a reply, as in a proxy that answers some commands by itself. */
  rewrite: (reply: string) => string = (reply) => reply;
  private readonly pairs = new Set<Pair>();
  private accepted = 0;

  private constructor(
    private readonly listener: Server,
    /** Where new connections lead to. */
    public target: number,
  ) {
    listener.on('connection', (client) => this.join(client));
  }

  static async to(target: number): Promise<TcpProxy> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new TcpProxy(listener, target);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** How many connections have been made so far. */
  get connections(): number {
    return this.accepted;
  }

  /** Drops every connection without a word to either side: nothing passes any more, and nothing is closed. */
  forget(): void {
    for (const pair of this.pairs) pair.isForgotten = true;
  }

  /** Breaks every connection; new ones can be made. */
  cut(): void {
    for (const { client, server } of this.pairs) {
      client.destroy();
      server.destroy();
    }
    this.pairs.clear();
  }

  async close(): Promise<void> {
    this.listener.close();
    this.cut();
    await once(this.listener, 'close');
  }

  private join(client: Socket): void {
    if (this.refuses) {
      client.on('error', () => {}).resetAndDestroy();
      return;
    }
    this.accepted++;
    const server = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair = { client, server, lastUsed: performance.now(), isForgotten: false };
    this.pairs.add(pair);
    const rewrite = (data: Buffer): Buffer => Buffer.from(this.rewrite(data.toString('latin1')), 'latin1');
    this.carry(client, server, unchanged, () => this.isDropped(pair) || this.swallow === 'everything');
    this.carry(server, client, rewrite, () => this.isDropped(pair) || this.swallow !== 'nothing');
    for (const socket of [client, server]) {
      // Each error comes with a `close`.
      socket.on('error', () => {});
      socket.on('close', () => this.drop(pair));
    }
  }

  private isDropped(pair: Pair): boolean {
    const now = performance.now();
    if (now - pair.lastUsed > this.idleLimit) pair.isForgotten = true;
    pair.lastUsed = now;
    return pair.isForgotten;
  }

  private drop(pair: Pair): void {
    // Its other side does not hear of the end either, and the server keeps it.
    if (pair.isForgotten && this.listener.listening) return;
    this.pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }

  private carry(from: Socket, to: Socket, change: (data: Buffer) => Buffer, isLost: () => boolean): void {
    let underway: Promise<unknown> = Promise.resolve();
    const send = (deliver: () => void): void => {
      if (isLost()) return;
      const due = performance.now() + this.delay;
      underway = underway.then(() => pause(Math.max(0, due - performance.now()))).then(deliver);
    };
    from.on('data', (data) => send(() => to.write(change(data))));
    from.on('end', () => send(() => to.end()));
  }
}

const unchanged = (data: Buffer): Buffer => data;
