// What the package adds to an application that has NestJS, @nestjs/schedule and ioredis already: on the disk, and to
// the time that its imports take. Installs both from the registry in a temporary folder.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MOST = { kilobytes: 300, ratio: 1.3 };
/** How often each of the two is imported, each time in a process of its own. */
const RUNS = 25;
const BASE = ['reflect-metadata', '@nestjs/common', '@nestjs/core', '@nestjs/schedule', 'ioredis'];

const folder = mkdtempSync(join(tmpdir(), 'footprint-'));
try {
  npm(ROOT, 'pack', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  npm(folder, 'install', ...BASE, 'rxjs');
  const before = sizesOf(join(folder, 'node_modules'));
  npm(folder, 'install', join(folder, tarball));
  const after = sizesOf(join(folder, 'node_modules'));

  const kilobytes = (after.bytes - before.bytes) / 1000;
  const onDisk = (after.onDisk - before.onDisk) / 1000;
  console.log(
    `Added to node_modules: ${kilobytes.toFixed(0)} kB (${onDisk.toFixed(0)} kB in blocks of the disk)`,
  );
  for (const name of [...after.packages.keys()].filter((path) => !before.packages.has(path))) {
    console.log(
      `                       ${(after.packages.get(name) / 1000).toFixed(0).padStart(5)} kB  ${name}`,
    );
  }

  const times = { without: [], with: [] };
  for (let run = 0; run < RUNS; run++) {
    times.without.push(importTime(BASE));
    times.with.push(importTime([...BASE, 'nestjs-exclusive']));
  }
  const [without, withIt] = [median(times.without), median(times.with)];
  const ratio = withIt / without;
  console.log(
    `Import: ${without.toFixed(0)} ms without it, ${withIt.toFixed(0)} ms with it, ${ratio.toFixed(2)} times`,
  );
  console.log(`                       (the median of ${RUNS} processes each, in turn)`);

  for (const [what, value] of Object.entries({ kilobytes, ratio })) {
    if (value < MOST[what]) continue;
    console.error(`More than the ${MOST[what]} (${what}) that are promised`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function npm(cwd, ...args) {
  execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, stdio: 'pipe' });
}

/** The bytes of all files below a folder, what they take on the disk, and the share of each package. */
function sizesOf(modules) {
  const sizes = { bytes: 0, onDisk: 0, packages: new Map() };
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true })) {
    // npm's own record of what is installed.
    if (entry.name === '.package-lock.json') continue;
    const path = join(entry.parentPath, entry.name);
    const { size, blocks } = statSync(path);
    sizes.onDisk += blocks * 512;
    if (!entry.isFile()) continue;
    sizes.bytes += size;
    const [scope, name] = path.slice(modules.length + 1).split(/[\\/]/);
    const owner = scope.startsWith('@') ? `${scope}/${name}` : scope;
    sizes.packages.set(owner, (sizes.packages.get(owner) ?? 0) + size);
  }
  return sizes;
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
