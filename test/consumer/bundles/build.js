// Bundles the application in each of the ways that the tests start.
import { build } from 'esbuild';
import { rspack } from '@rspack/core';

const entry = './src/main.ts';
const dashboard = './src/dashboard.ts';
/** What NestJS loads only where it is installed. */
const NOT_INSTALLED = ['@nestjs/microservices', '@nestjs/websockets', 'class-transformer', 'class-validator'];
/** What an application without HTTP does not need. */
const OPTIONAL = [...NOT_INSTALLED, '@nestjs/platform-express'];

const named = (packages) => new RegExp(`^(${packages.join('|')})(/|$)`);

function withEsbuild(name, options) {
  return build({
    entryPoints: [entry],
    outfile: `dist/${name}.cjs`,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'warning',
    ...options,
  });
}

function withRspack(name, minimizerOptions, options = {}) {
  const compiler = rspack({
    mode: 'production',
    target: 'node',
    entry,
    output: { path: `${import.meta.dirname}/dist`, filename: `${name}.cjs` },
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    externals: named(OPTIONAL),
    externalsType: 'commonjs',
    module: {
      rules: [
        {
          test: /\.ts$/,
          loader: 'builtin:swc-loader',
          options: {
            jsc: {
              parser: { syntax: 'typescript', decorators: true },
              transform: { legacyDecorator: true, decoratorMetadata: true },
              target: 'es2022',
            },
          },
        },
      ],
    },
    optimization: {
      minimize: true,
      minimizer: [new rspack.SwcJsMinimizerRspackPlugin({ minimizerOptions })],
    },
    ...options,
  });
  return new Promise((resolve, reject) => {
    compiler.run((error, stats) => {
      if (error) reject(error);
      else if (stats.hasErrors()) reject(new Error(stats.toString('errors-only')));
      else compiler.close(resolve);
    });
  });
}

await Promise.all([
  withEsbuild('esbuild-external', { packages: 'external' }),
  withEsbuild('esbuild', { external: OPTIONAL }),
  withEsbuild('esbuild-keep-names', { external: OPTIONAL, keepNames: true }),
  withRspack('rspack', {}),
  withRspack('rspack-keep-classnames', {
    compress: { keep_classnames: true },
    mangle: { keep_classnames: true },
  }),
  withEsbuild('dashboard-esbuild', { entryPoints: [dashboard], external: NOT_INSTALLED }),
  withEsbuild('dashboard-esbuild-esm', {
    entryPoints: [dashboard],
    external: NOT_INSTALLED,
    outfile: 'dist/dashboard-esbuild-esm.mjs',
    format: 'esm',
    banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
  }),
  withRspack('dashboard-rspack', {}, { entry: dashboard, externals: named(NOT_INSTALLED) }),
]);
