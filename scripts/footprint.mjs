// What the package adds to an application that has NestJS, @nestjs/schedule and ioredis already: on the disk, and to
// the time that its imports take. Installs the other packages from the registry, then a tarball of this one, in a
// temporary folder, and fails if a limit is exceeded.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NAME = 'nestjs-exclusive';
const PAGE = `${NAME}/dist/dashboard/built-page.js`;
/** How often each of the two is imported, each time in a process of its own. */
const RUNS = 25;
const BASE = ['reflect-metadata', '@nestjs/common', '@nestjs/core', '@nestjs/schedule', 'ioredis'];

const folder = mkdtempSync(join(tmpdir(), 'footprint-'));
try {
  npm(ROOT, 'pack', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  npm(folder, 'install', ...BASE, 'rxjs');
  const before = packageSizes();
  npm(folder, 'install', join(folder, tarball));
  const after = packageSizes();
  const kilobytes = after.get(NAME) / 1000;
  const withoutPage = kilobytes - statSync(join(folder, 'node_modules', PAGE)).size / 1000;
  console.log(`${NAME}: ${kilobytes.toFixed(0)} kB, ${withoutPage.toFixed(0)} kB without ${PAGE}`);
  for (const [name, bytes] of after) {
    if (name !== NAME && !before.has(name))
      console.log(`Installed with it: ${name}, ${(bytes / 1000).toFixed(0)} kB`);
  }

  const times = { without: [], with: [] };
  for (let run = 0; run < RUNS; run++) {
    times.without.push(importTime(BASE));
    times.with.push(importTime([...BASE, NAME]));
  }
  const [without, withIt] = [median(times.without), median(times.with)];
  const ratio = withIt / without;
  console.log(
    `Import: ${without.toFixed(0)} ms without it, ${withIt.toFixed(0)} ms with it, ${ratio.toFixed(2)} times ` +
      `(the median of ${RUNS} processes each, in turn)`,
  );

  const limits = [
    { value: kilobytes, most: 500, unit: 'kB' },
    { value: withoutPage, most: 320, unit: 'kB without the page of the dashboard' },
    { value: ratio, most: 1.3, unit: 'times the import time' },
  ];
  for (const { value, most, unit } of limits) {
    if (value < most) continue;
    console.error(`Over the limit: must be less than ${most} ${unit}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function npm(cwd, ...args) {
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, stdio: 'pipe' });
}

/** The bytes of the files of each package. */
function packageSizes() {
  const names = readdirSync(join(folder, 'node_modules')).flatMap((name) => {
    if (name.startsWith('.')) return [];
    if (!name.startsWith('@')) return [name];
    return readdirSync(join(folder, 'node_modules', name)).map((part) => `${name}/${part}`);
  });
  return new Map(names.map((name) => [name, sizeOf(name)]));
}

/** The bytes of the files in a folder of `node_modules`. */
function sizeOf(path) {
  const files = readdirSync(join(folder, 'node_modules', path), { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

/** How long a new process takes to import the packages one after another, in milliseconds. */
function importTime(packages) {
  const imports = packages.map((name) => `await import(${JSON.stringify(name)});`).join('');
  const code = `const begin = performance.now();${imports}console.log(performance.now() - begin);`;
  const args = ['--input-type=module', '--eval', code];
  return Number(execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }));
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
