// Bundles the application in each of the ways that the tests start.
import { build } from 'esbuild';
import { rspack } from '@rspack/core';

const entry = './src/main.ts';
/** What NestJS loads only where it is installed. */
const OPTIONAL = [
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
];

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

function withRspack(name, minimizerOptions) {
  const compiler = rspack({
    mode: 'production',
    target: 'node',
    entry,
    output: { path: `${import.meta.dirname}/dist`, filename: `${name}.cjs` },
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    externals: new RegExp(`^(${OPTIONAL.join('|')})(/|$)`),
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
]);
