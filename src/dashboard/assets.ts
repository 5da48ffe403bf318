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

/** The files of the page. Loaded when it is first opened. */
@Injectable()
export class Assets {
  async get(name: string): Promise<Asset | undefined> {
    const { files } = await import('./built-page.js');
    const content = Object.hasOwn(files, name) ? files[name] : undefined;
    if (content === undefined) return undefined;
    const type = `${TYPES[name.split('.').at(-1) as keyof typeof TYPES]}; charset=utf-8`;
    return { type, content, isHashed: HASHED.test(name) };
  }

  /** The page itself. `base` is what its relative URLs begin with. */
  async page(base: string): Promise<string | undefined> {
    const page = await this.get('index.html');
    return page?.content.replaceAll('{base}', base);
  }
}
