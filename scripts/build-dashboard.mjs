// Bundles the page of the dashboard: one script, one style sheet and one icon, with the hash of their content in their
// names, and the page that loads them. Writes a module with their contents to the file that is named: a bundle of an
// application contains modules, but not the files next to them. Fails if they are larger than 80 kB gzipped.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST_GZIPPED = 80_000;
const PAGE = 'src/dashboard/page';
const BUNDLED = ['preact', '@preact/signals', '@preact/signals-core', 'cronstrue'];
const target = process.argv[2];
if (!target) throw new Error('Usage: build-dashboard.mjs FILE');

const { metafile, outputFiles } = await build({
  entryPoints: { app: `${PAGE}/main.tsx`, style: `${PAGE}/style.css`, icon: `${PAGE}/icon.svg` },
  entryNames: '[name]-[hash]',
  outdir: dirname(target),
  write: false,
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
const files = Object.fromEntries(outputFiles.map(({ path, text }) => [basename(path), text]));

let page = readFileSync(join(PAGE, 'index.html'), 'utf8');
for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (!entryPoint) continue;
  page = page.replace(`{${entryPoint.slice(PAGE.length + 1)}}`, `{base}assets/${basename(file)}`);
}
files['index.html'] = page;

const licenses = BUNDLED.map(
  (name) => `${name}\n\n${readFileSync(join('node_modules', name, 'LICENSE'), 'utf8').trim()}\n`,
);
files['licenses.txt'] = licenses.join('\n\n');

mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, `export const files = ${JSON.stringify(files, null, 2)};\n`);

const contents = Object.values(files);
const bytes = contents.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
const gzipped = contents.reduce((sum, text) => sum + gzipSync(text).length, 0);
console.log(
  `Dashboard: ${(bytes / 1000).toFixed(0)} kB, ${(gzipped / 1000).toFixed(1)} kB gzipped, in ${target}`,
);
if (gzipped > MOST_GZIPPED) {
  console.error(`Over the limit of ${MOST_GZIPPED / 1000} kB gzipped`);
  process.exitCode = 1;
}
