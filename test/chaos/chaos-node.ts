import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { TcpProxy } from '../nodes/tcp-proxy.js';
import type { NodeFaultPlan } from './plan.js';

/**
 * Whether a node that is killed comes back with all that it had said yes to. Without it the promise does not hold: a
 * node that has forgotten a lock gives it again. So nodes write each command to disk before they answer; the embedded
 * engine cannot, and is not killed.
 */
export const durableNodes = findEngine().kind === 'native';

/** One Redis server behind a network that can fail. */
export class ChaosNode {
  private constructor(
    private readonly server: RedisServer,
    private readonly proxy: TcpProxy,
    private readonly folder: string,
  ) {}

  static async start(): Promise<ChaosNode> {
    const folder = mkdtempSync(join(tmpdir(), 'chaos-node-'));
    const args = durableNodes ? ['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'always'] : [];
    const server = await RedisServer.start({ args });
    return new ChaosNode(server, await TcpProxy.to(server.port), folder);
  }

  /** Where clients connect to. */
  get url(): string {
    return `redis://127.0.0.1:${this.proxy.port}`;
  }

  /** Resolves when the fault is over. */
  async suffer({ kind, lasts, delay }: NodeFaultPlan): Promise<void> {
    const { server, proxy } = this;
    switch (kind) {
      case 'kill':
        await server.kill();
        await pause(lasts);
        return server.restart();
      case 'hang':
        server.pause();
        await pause(lasts);
        return server.resume();
      case 'slow':
        proxy.delay = delay;
        await pause(lasts);
        proxy.delay = 0;
        return;
      case 'sever':
        proxy.refuses = true;
        proxy.cut();
        await pause(lasts);
        proxy.refuses = false;
        return;
      case 'deafen':
        proxy.swallow = 'replies';
        await pause(lasts);
        // What is lost of a stream is not followed by the rest of it.
        proxy.cut();
        proxy.swallow = 'nothing';
        return;
      case 'forget connections':
        return proxy.forget();
      case 'flush scripts':
        return this.flushScripts();
    }
  }

  async stop(): Promise<void> {
    await this.proxy.close();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async flushScripts(): Promise<void> {
    const client = new Redis(this.server.url, { retryStrategy: null }).on('error', () => {});
    await client.script('FLUSH').catch(() => {});
    client.disconnect();
  }
}
