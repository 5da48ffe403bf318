import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
}

/** What one entry of the package loads. */
export interface Loaded {
  /** The names of the other packages that it imports. */
  readonly packages: ReadonlySet<string>;
  /** The names of the classes in its code, and in the files that it imports. */
  readonly classes: ReadonlySet<string>;
}

/**
 * Follows the imports of each entry of an installed package, such as `./testing`.
 *
 * @param folder The folder of the package.
 */
export async function loadedByEntry(folder: string): Promise<Record<string, Loaded>> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
  const loaded = Object.entries(manifest.exports).map(async ([entry, target]) =>
    typeof target === 'string' ? [] : [[entry, await loadedBy(join(folder, target.default))] as const],
  );
  return Object.fromEntries((await Promise.all(loaded)).flat());
}

async function loadedBy(entry: string): Promise<Loaded> {
  const files = new Set<string>();
  const packages = new Set<string>();
  const classes = new Set<string>();
  const visit = async (file: string): Promise<void> => {
    if (files.has(file)) return;
    files.add(file);
    const code = await readFile(file, 'utf8');
    for (const [, name = ''] of code.matchAll(/\bclass (\w+)/g)) classes.add(name);
    for (const [, path = ''] of code.matchAll(/\b(?:from|import)\s*\(?["'`]([^"'`]+)["'`]/g)) {
      if (path.startsWith('.')) await visit(join(dirname(file), path));
      else packages.add(path);
    }
  };
  await visit(entry);
  return { packages, classes };
}
