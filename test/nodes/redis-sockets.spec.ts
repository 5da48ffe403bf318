import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { reset } from '../../src/nodes/redis/redis-sockets.js';

/** A connection, and the other end of it, which keeps its own half open. */
async function connected(): Promise<{ stream: Socket; other: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const stream = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[other]] = await Promise.all([accepted, once(stream, 'connect')]);
  onTestFinished(() => void other.destroy());
  return { stream, other };
}

it('a connection is reset', async () => {
  const { stream, other } = await connected();
  const reason = once(other, 'error') as Promise<[Error]>;
  reset({ stream } as unknown as Redis);
  await once(stream, 'close');
  expect((await reason)[0].message).toContain('ECONNRESET');
});

it('a connection that is being made is given up at once', () => {
  const stream = connect(1, '127.0.0.1').on('error', () => {});
  reset({ stream } as unknown as Redis);
  expect(stream.destroyed).toBe(true);
});

it('a connection whose own end is closing is closed, because ioredis reconnects only then', async () => {
  const { stream } = await connected();
  const errors: unknown[] = [];
  stream.on('error', (error) => errors.push(error));
  stream.end();
  reset({ stream } as unknown as Redis);
  await once(stream, 'close');
  expect(errors).toEqual([]);
});
