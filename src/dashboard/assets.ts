import { readdirSync, readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';

const TYPES = {
  js: 'text/javascript',
  css: 'text/css',
  svg: 'image/svg+xml',
  html: 'text/html',
  txt: 'text/plain',
};

/** One file of the page, as it is sent. */
interface Asset {
  readonly type: string;
  readonly content: string;
  /** Whether its name contains a hash of its content, so that a file of this name never changes. */
  readonly isHashed: boolean;
}

/** The end of a name that contains a hash: esbuild's `[hash]`. */
const HASHED = /-[A-Z\d]{8}\.\w+$/;

/** The files of the page, which `scripts/build-dashboard.mjs` has built. Read when the page is first opened. */
@Injectable()
export class Assets {
  private files: ReadonlyMap<string, Asset> | undefined;

  get(name: string): Asset | undefined {
    this.files ??= assetsIn(new URL('assets/', import.meta.url));
    return this.files.get(name);
  }

  /** The page itself. `base` is what its relative URLs begin with. */
  page(base: string): string | undefined {
    return this.get('index.html')?.content.replaceAll('{base}', base);
  }
}

export function assetsIn(folder: URL): ReadonlyMap<string, Asset> {
  return new Map(
    readdirSync(folder).map((file) => {
      const type = `${TYPES[file.split('.').at(-1) as keyof typeof TYPES]}; charset=utf-8`;
      const content = readFileSync(new URL(file, folder), 'utf8');
      return [file, { type, content, isHashed: HASHED.test(file) }];
    }),
  );
}
