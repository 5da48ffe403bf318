import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findEngine, freePort, type RedisServer } from './redis-server.js';

/** A Sentinel of its own for one master, as the group `jobs`: a process that ends with this one. */
export class Sentinel {
  private constructor(
    readonly port: number,
    private readonly end: () => Promise<void>,
    private readonly signal: (signal: NodeJS.Signals) => void,
    readonly client: Redis,
  ) {}

  static async watching(master: RedisServer, ...settings: string[]): Promise<Sentinel> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'sentinel-'));
    const file = join(folder, 'sentinel.conf');
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${folder}`,
      `sentinel monitor jobs 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds jobs 500',
      'sentinel failover-timeout jobs 5000',
      ...settings,
    ];
    writeFileSync(file, lines.join('\n'));
    const [program] = findEngine().command(port, []);
    // The shell reads a pipe that closes when this process ends, however that comes about.
    const script = '"$1" "$2" --sentinel & server=$!; read -r line; kill -9 "$server"; rm -rf "$3"';
    const shell = spawn('sh', ['-c', script, 'sentinel', program, file, folder], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(shell, 'exit');
    const client = new Redis(port, '127.0.0.1').on('error', () => {});
    await client.ping();
    const end = async (): Promise<void> => {
      client.disconnect();
      shell.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    };
    // The shell and the Sentinel are a process group.
    const send = (signal: NodeJS.Signals): void => void process.kill(-(shell.pid ?? 0), signal);
    return new Sentinel(port, end, send, client);
  }

  async replicas(): Promise<number> {
    return ((await this.client.call('SENTINEL', 'REPLICAS', 'jobs')) as unknown[]).length;
  }

  /** From now on, it hangs. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  stop(): Promise<void> {
    this.signal('SIGCONT');
    return this.end();
  }
}
