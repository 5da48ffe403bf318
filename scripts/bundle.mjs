// Bundles what tsc has compiled into `dist`: a script and a type file for each entry in package.json, and in `shared`
// what several entries need. So there is one copy of each class, and no entry loads what only others use. The page of the
// dashboard is a script of its own, loaded when the page is first opened; so would be what any other `import()` loads.
import { readFileSync, writeFileSync } from 'node:fs';
import { build } from 'rolldown';
import { parseAst } from 'rolldown/parseAst';
import { dts } from 'rolldown-plugin-dts';

const COMPILED = './build/compiled';
const { exports: entries } = JSON.parse(readFileSync('package.json', 'utf8'));
const names = Object.values(entries).flatMap(
  ({ default: file }) => /^\.\/dist\/(.+)\.js$/.exec(file)?.[1] ?? [],
);
/** The entries with the files that tsc has made of them: `testing/index` and `./build/compiled/testing/index.js`. */
const inputs = (extension) =>
  Object.fromEntries(names.map((name) => [name, `${COMPILED}/${name}${extension}`]));
/** Packages stay imports. A colon that does not follow `node` is in a path on Windows. */
const external = /^(node:|@?[a-z])[^:]*$/;
/** How long a line is at least, before it is broken. */
const SHORTEST_LINE = 80;
/** Stack traces and NestJS show the names of classes and functions. */
const keepNames = { class: true, function: true };

/** The plugin puts comments in object types on the line of another member, where editors do not look for them. */
const commentLines = {
  name: 'comment-lines',
  renderChunk: (code) => code.replaceAll('; /**', ';\n  /**').replaceAll(/\*\/(?=\w)/g, '*/\n  '),
};

const [scripts] = await build([
  {
    input: inputs('.js'),
    external,
    platform: 'node',
    output: {
      dir: 'dist',
      chunkFileNames: ({ isDynamicEntry }) => (isDynamicEntry ? 'dashboard/[name].js' : 'shared/[hash].js'),
      // `super()` must be a statement of its own, not part of a sequence: otherwise TypeScript, which ts-jest runs on this
      // code, puts the fields of a class before it if the target is lower than ES2022.
      minify: { compress: { target: 'es2022', keepNames, sequences: false }, mangle: { keepNames } },
    },
  },
  {
    input: inputs('.d.ts'),
    external,
    // Does not load TypeScript, so the version that it asks for does not matter: see `overrides` in package.json.
    plugins: [dts({ dtsInput: true, emitDtsOnly: true, tsconfig: false }), commentLines],
    output: { dir: 'dist', entryFileNames: '[name].ts', chunkFileNames: 'shared/[hash].d.ts' },
  },
]);

// Node.js prints the whole line of an error that ends a process.
for (const { fileName, code } of scripts.output) writeFileSync(`dist/${fileName}`, inLines(code));

/** Breaks lines before statements and members of classes, where a line break does not change the meaning. */
function inLines(code) {
  const starts = [];
  JSON.stringify(parseAst(code), (_key, node) => {
    if (node?.type === 'ClassBody' || node?.type === 'Program' || node?.type === 'BlockStatement')
      starts.push(...node.body.map(({ start }) => start));
    return typeof node === 'bigint' ? null : node;
  });
  const lines = [];
  let from = 0;
  for (const start of starts.toSorted((a, b) => a - b)) {
    if (start - from < SHORTEST_LINE) continue;
    lines.push(code.slice(from, start));
    from = start;
  }
  return [...lines, code.slice(from)].join('\n');
}
