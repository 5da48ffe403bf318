/** What a page asks for, by the addresses that a browser makes of its relative URLs. */
export interface PageAddresses {
  /** Its icon, its style and its script. */
  readonly files: readonly URL[];
  /** Its data, which the script finds relative to itself. */
  readonly overview: URL;
}

/** @param page The address in the browser. */
export function addressesIn(html: string, page: string): PageAddresses {
  const files = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, url = '']) => new URL(url, page));
  const script = files.find(({ pathname }) => pathname.endsWith('.js'));
  return { files, overview: new URL('../api/overview', script) };
}
