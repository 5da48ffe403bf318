import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { severalCopies } from '../../src/copies.js';

it('a module that is evaluated again counts as a copy, and the warning names all causes, as documented', async () => {
  const counter = Symbol.for('nestjs-exclusive');
  const before: unknown = Reflect.get(globalThis, counter);
  onTestFinished(() => void Reflect.set(globalThis, counter, before));
  Reflect.set(globalThis, counter, 1);
  expect(severalCopies()).toBeUndefined();
  const again = '../../src/copies.js?again';
  await import(/* @vite-ignore */ again);
  const said = severalCopies();
  expect(said).toContain('npm ls nestjs-exclusive');
  expect(said).toContain('A test that resets its modules');
  const page = readFileSync('docs/environments.md', 'utf8');
  expect(page).toContain(`WARN [RedlockModule] ${said}\n`);
});
