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
  const before = packageSizes();
  npm(folder, 'install', join(folder, tarball));
  const added = [...packageSizes()].filter(([name]) => !before.has(name));
  const kilobytes = added.reduce((sum, [, bytes]) => sum + bytes, 0) / 1000;
  console.log(`Added to node_modules: ${kilobytes.toFixed(0)} kB`);
  for (const [name, bytes] of added) console.log(`${(bytes / 1000).toFixed(0).padStart(28)} kB  ${name}`);

  const times = { without: [], with: [] };
  for (let run = 0; run < RUNS; run++) {
    times.without.push(importTime(BASE));
    times.with.push(importTime([...BASE, 'nestjs-exclusive']));
  }
  const [without, withIt] = [median(times.without), median(times.with)];
  const ratio = withIt / without;
  console.log(
    `Import: ${without.toFixed(0)} ms without it, ${withIt.toFixed(0)} ms with it, ${ratio.toFixed(2)} times ` +
      `(the median of ${RUNS} processes each, in turn)`,
  );

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

/** The bytes of the files of each package. */
function packageSizes() {
  const sizes = new Map();
  const modules = join(folder, 'node_modules');
  for (const path of readdirSync(modules, { recursive: true })) {
    const stats = statSync(join(modules, path));
    const name = /^(@[^/\\]+[/\\])?[^/\\]+/.exec(path)[0];
    if (stats.isFile() && !name.startsWith('.')) sizes.set(name, (sizes.get(name) ?? 0) + stats.size);
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
