import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { npm } from './npm.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The path of the packed package. */
    packed: string;
  }
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Packs the package once for all test files: two of them must not build it in the same folder at the same time. */
export default async function pack({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'packed-'));
  // This builds the package first, as `npm publish` does.
  await npm(ROOT, 'pack', '--pack-destination', folder);
  const [name = ''] = await readdir(folder);
  provide('packed', join(folder, name));
  return () => rm(folder, { recursive: true, force: true });
}
