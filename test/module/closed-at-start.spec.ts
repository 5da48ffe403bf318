import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { expect, it } from 'vitest';
import { build } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();
/** Those of the applications, as the server names them. It can list one for a moment after its client has closed it. */
async function connections(): Promise<string[]> {
  const all = String(await clientOf(server.it).call('client', 'list')).split('\n');
  return all.filter((line) => line.includes('nestjs-exclusive:'));
}

it.each([0, 1, 2, 4, 8])(
  'an application that is closed %i ms after its start has begun blames no node, and leaves no connection',
  async (delay) => {
    const logger = new RecordingLogger();
    const app = (await build({ redlock: { nodes: server.it.url }, logger })).createNestApplication();
    const starting = app.init();
    if (delay > 0) await pause(delay);
    await app.close();
    await starting;
    expect(logger.at('warn')).toEqual([]);
    await expect.poll(connections).toHaveLength(0);
  },
);

it('an application that is closed after another module has failed to start leaves no connection', async () => {
  @Injectable()
  class Broken {
    onModuleInit(): void {
      throw new Error('no database');
    }
  }
  const app = await build({ redlock: { nodes: server.it.url }, providers: [Broken] });
  await expect(app.init()).rejects.toThrow('no database');
  expect(await connections()).toHaveLength(1);
  await app.close();
  await expect.poll(connections).toHaveLength(0);
});
