import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { portWithBus } from '../engine/cluster-port.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { Sentinel } from '../engine/sentinel.js';
import { useServer } from './redis.js';

const server = useServer();
const PROGRAM = fileURLToPath(new URL('../../build/test/module/exit-process.js', import.meta.url));

/** What a process prints, and how long it lives after its program is over, in milliseconds. */
async function endOf(
  how: string,
  url: string,
): Promise<{ printed: string; warned: string; lingered: number }> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [PROGRAM, how, url], {
    timeout: 20_000,
  });
  return {
    printed: stdout,
    warned: stderr,
    lingered: Date.now() - Number(/over at (\d+)/.exec(stdout)?.[1]),
  };
}

describe('a process ends within two seconds after', () => {
  it.each([
    ['an application that is closed', ''],
    ['an application that fails', 'Error: no database'],
    ['a fleet that fails', 'Error: no database'],
    ['a fleet of twelve', ''],
  ])('%s, and without a warning', async (how, failure) => {
    const { printed, warned, lingered } = await endOf(how, server.it.url);
    expect(printed).toContain(failure);
    expect(warned).toBe('');
    expect(lingered).toBeLessThan(2000);
  });

  it('an application that fails and cannot reach Redis', async () => {
    const { printed, lingered } = await endOf('an application that fails', 'redis://127.0.0.1:1');
    expect(printed).toContain('Error: no database');
    expect(lingered).toBeLessThan(2000);
  });

  it.skipIf(findEngine().kind === 'embedded')('an application that fails on a Cluster', async () => {
    const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'];
    const member = await RedisServer.start({ port: await portWithBus(), args });
    const client = new Redis(member.port, '127.0.0.1');
    try {
      await client.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
      await vi.waitFor(async () => expect(await client.cluster('INFO')).toContain('cluster_state:ok'), 5000);
      const { printed, lingered } = await endOf('an application that fails on a Cluster', member.url);
      expect(printed).toContain('Error: no database');
      expect(lingered).toBeLessThan(2000);
    } finally {
      client.disconnect();
      await member.stop();
    }
  });

  it.skipIf(findEngine().kind === 'embedded').each([
    ['an application that is closed, on a Sentinel group', ''],
    ['an application that fails on a Sentinel group', 'Error: no database'],
  ])('%s of which one hangs and one is down, and without a warning', async (how, failure) => {
    const sentinel = await Sentinel.watching(server.it);
    onTestFinished(() => sentinel.stop());
    const hung = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void hung.close());
    await once(hung, 'listening');
    const { port } = hung.address() as AddressInfo;
    const { printed, warned, lingered } = await endOf(how, `${sentinel.port},${port},1`);
    expect(printed).toContain(failure);
    expect(warned).toBe('');
    expect(lingered).toBeLessThan(1500);
  });
});
