// Removes from `dist` the types that no public type leads to: users neither see them nor need them.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const reachable = new Set();
function visit(file) {
  if (reachable.has(file)) return;
  reachable.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/g)) {
    visit(join(dirname(file), `${path}.d.ts`));
  }
}
const { exports: entries } = JSON.parse(readFileSync('package.json', 'utf8'));
for (const { types } of Object.values(entries)) if (types) visit(join(types));

for (const name of readdirSync('dist', { recursive: true })) {
  const file = join('dist', name);
  if (file.endsWith('.d.ts') && !reachable.has(file)) rmSync(file);
}
