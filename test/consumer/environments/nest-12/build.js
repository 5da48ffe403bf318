// Compiles the application with SWC, by the .swcrc, and bundles it with esbuild.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { transformFile } from '@swc/core';
import { build } from 'esbuild';

await mkdir('dist', { recursive: true });
for (const file of (await readdir('src')).filter((name) => !name.endsWith('.test.ts'))) {
  const { code } = await transformFile(`src/${file}`);
  await writeFile(`dist/${file.replace(/\.ts$/, '.js')}`, code);
}

/** What NestJS loads only where it is installed. */
const external = [
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
];
const bundle = {
  entryPoints: ['src/injected.ts'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
  external,
};
await build({ ...bundle, outfile: 'bundle/without-banner.mjs' });
await build({
  ...bundle,
  outfile: 'bundle/with-banner.mjs',
  // Under another name, as NestJS has a `createRequire` of its own in the bundle.
  banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
});

await build({
  entryPoints: ['stage-3/jobs.ts'],
  outfile: 'stage-3/by-esbuild.js',
  tsconfigRaw: {},
  target: 'es2022',
  logLevel: 'warning',
});
