import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { portWithBus } from '../engine/cluster-port.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { Sentinel } from '../engine/sentinel.js';
import { clientOf, useServer } from './redis.js';

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

it('a run is not hurried by the signal that Nest sends again for another application of the process', async () => {
  const ended = promisify(execFile)(process.execPath, [PROGRAM, 'three applications', server.it.url]);
  await expect(ended).rejects.toMatchObject({ signal: 'SIGTERM', stdout: 'finished\n' });
});

describe('a process ends within two seconds after', () => {
  it.each([
    ['an application that is closed', ''],
    ['an application that fails', 'Error: no database'],
    ['a fleet that fails', 'Error: no database'],
    ['a fleet of twelve', ''],
    ['a run that waits for nothing but its signal', 'RunTimeoutError'],
    ['a lock that is held', ''],
    ['a signal', 'ShutdownError'],
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

  it('an application that fails and cannot reach a Sentinel', async () => {
    const { printed, lingered } = await endOf('an application that fails on a Sentinel group', '1,2');
    expect(printed).toContain('Error: no database');
    expect(lingered).toBeLessThan(2000);
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

it.skipIf(findEngine().kind === 'embedded').each([
  ['an application that is closed, on a Cluster', ''],
  ['an application that fails on a Cluster', 'Error: no database'],
])('a process ends soon after %s of which a server is down', async (how, failure) => {
  const members = [await startMember(), await startMember()] as const;
  await meet(members);
  await members[1].kill();
  const { printed, lingered } = await endOf(how, `${members[0].port}`);
  expect(printed).toContain(failure);
  expect(lingered).toBeLessThan(1500);
});

/** A server of a Cluster, which keeps its state for long after another server has died. */
async function startMember(): Promise<RedisServer> {
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'];
  args.push('--cluster-node-timeout', '60000');
  const member = await RedisServer.start({ port: await portWithBus(), args });
  onTestFinished(() => member.stop());
  return member;
}

/** Makes a Cluster of two servers. */
async function meet([first, second]: readonly [RedisServer, RedisServer]): Promise<void> {
  const [one, two] = [clientOf(first), clientOf(second)] as const;
  await one.call('CLUSTER', 'ADDSLOTSRANGE', 0, 8191);
  await two.call('CLUSTER', 'ADDSLOTSRANGE', 8192, 16_383);
  await two.call('CLUSTER', 'SET-CONFIG-EPOCH', 2);
  await one.call('CLUSTER', 'MEET', '127.0.0.1', second.port);
  for (const client of [one, two]) {
    const state = async (): Promise<unknown> => client.cluster('INFO');
    await vi.waitFor(async () => expect(await state()).toContain('cluster_state:ok'), 10_000);
  }
}
