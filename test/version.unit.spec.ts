import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { VERSION } from '../src/version.js';

it('VERSION is the version of the package', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
  expect(VERSION).toBe(manifest.version);
});
