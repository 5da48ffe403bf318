import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { build } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();

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
    const connections = String(await clientOf(server.it).call('client', 'list')).split('\n');
    expect(connections.filter((line) => line.includes('nestjs-exclusive:'))).toEqual([]);
  },
);
