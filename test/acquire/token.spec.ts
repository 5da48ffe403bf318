import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { instanceOf, tokensOf } from '../../src/acquire/token.js';
import { start } from '../module/application.js';
import { clientOf, useServer, useServers } from '../module/redis.js';

const execute = promisify(execFile);
const server = useServer();
const servers = useServers(3);

it('a token names its instance, and is made once', () => {
  const newToken = tokensOf('host:1#2:ab');
  const tokens = Array.from({ length: 1000 }, newToken);
  expect(new Set(tokens).size).toBe(1000);
  expect(new Set(tokens.map(instanceOf))).toEqual(new Set(['host:1#2:ab']));
  expect(instanceOf('a token of the recipe')).toBe('');
});

it('two processes that draw the same random bytes have different tokens and instance ids', async () => {
  const program = `
    const crypto = require('node:crypto');
    crypto.randomBytes = (size) => Buffer.alloc(size, 7);
    crypto.randomUUID = () => '00000000-0000-4000-8000-000000000007';
    require('node:module').syncBuiltinESMExports();
    void (async () => {
      const { tokensOf } = await import(${JSON.stringify(new URL('../../build/src/acquire/token.js', import.meta.url).href)});
      const { resolveOptions } = await import(${JSON.stringify(new URL('../../build/src/options/resolve-options.js', import.meta.url).href)});
      const newToken = tokensOf('a clone');
      console.log(JSON.stringify([newToken(), newToken(), resolveOptions({}).instanceId]));
    })();`;
  const outputs = await Promise.all(
    [1, 2].map(() =>
      execute(process.execPath, ['-e', program]).then(({ stdout }) => JSON.parse(stdout) as string[]),
    ),
  );
  expect(new Set(outputs.flat()).size).toBe(6);
});

it.each([
  ['one node', () => [server.it]],
  ['three nodes', () => servers],
])('the key of a lock shows the instance that holds it: %s', async (_what, nodes) => {
  const app = await start({ redlock: { nodes: nodes().map(({ url }) => url), instanceId: 'worker 1' } });
  await app.get(RedlockService).run('shown', async () => {
    for (const node of nodes()) expect(await clientOf(node).get('JOB_LOCKER_shown')).toMatch(/^worker 1#/);
  });
});
