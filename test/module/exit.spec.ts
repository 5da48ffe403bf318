import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { useServer } from './redis.js';

const server = useServer();
const PROGRAM = fileURLToPath(new URL('../../build/test/module/exit-process.js', import.meta.url));

it.each([
  ['an application that is closed', ''],
  ['an application that fails', 'Error: no database'],
  ['a fleet that fails', 'Error: no database'],
  ['a fleet of twelve', ''],
])('a process ends within two seconds, and without a warning, after %s', async (how, failure) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [PROGRAM, how, server.it.url], {
    timeout: 20_000,
  });
  const exited = Date.now();
  expect(stdout).toContain(failure);
  expect(stderr).toBe('');
  expect(exited - Number(/over at (\d+)/.exec(stdout)?.[1])).toBeLessThan(2000);
});
