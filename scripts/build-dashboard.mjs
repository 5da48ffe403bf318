// Bundles the page of the dashboard into the folder that is named: one script, one style sheet and one icon, with the
// hash of their content in their names, and the page that loads them. Fails if they are larger than 80 kB gzipped.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST_GZIPPED = 80_000;
const PAGE = 'src/dashboard/page';
const BUNDLED = ['preact', '@preact/signals', '@preact/signals-core', 'cronstrue'];
const folder = process.argv[2];
if (!folder) throw new Error('Usage: build-dashboard.mjs FOLDER');

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const { metafile } = await build({
  entryPoints: { app: `${PAGE}/main.tsx`, style: `${PAGE}/style.css`, icon: `${PAGE}/icon.svg` },
  entryNames: '[name]-[hash]',
  outdir: folder,
  bundle: true,
  minify: true,
  metafile: true,
  format: 'esm',
  target: ['chrome111', 'firefox114', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.svg': 'copy' },
  legalComments: 'none',
});

let page = readFileSync(join(PAGE, 'index.html'), 'utf8');
for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (!entryPoint) continue;
  page = page.replace(
    `{${entryPoint.slice(PAGE.length + 1)}}`,
    `{base}assets/${file.slice(folder.length + 1)}`,
  );
}
writeFileSync(join(folder, 'index.html'), page);

const licenses = BUNDLED.map(
  (name) => `${name}\n\n${readFileSync(join('node_modules', name, 'LICENSE'), 'utf8').trim()}\n`,
);
writeFileSync(join(folder, 'licenses.txt'), licenses.join('\n\n'));

const files = readdirSync(folder).map((file) => readFileSync(join(folder, file)));
const bytes = files.reduce((sum, file) => sum + file.length, 0);
const gzipped = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
console.log(
  `Dashboard: ${(bytes / 1000).toFixed(0)} kB, ${(gzipped / 1000).toFixed(1)} kB gzipped, in ${folder}`,
);
if (gzipped > MOST_GZIPPED) {
  console.error(`Over the limit of ${MOST_GZIPPED / 1000} kB gzipped`);
  process.exitCode = 1;
}
