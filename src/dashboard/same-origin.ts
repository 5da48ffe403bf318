export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/**
 * Whether a request that changes something comes from the page itself. A page of another site can neither send a header
 * of its own, unless CORS allows it, nor choose `Sec-Fetch-Site` or `Origin`. Browsers omit `Sec-Fetch-Site` without
 * TLS. A request with neither of the two does not come from a browser.
 */
export function isFromThePage(headers: RequestHeaders): boolean {
  if (headers['x-redlock-dashboard'] !== '1') return false;
  const { origin, 'sec-fetch-site': site } = headers;
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined) return true;
  // Each of several proxies may have appended a host: the first one is what the browser asked for.
  const host = (headers['x-forwarded-host'] ?? headers.host)?.split(',', 1)[0];
  return URL.canParse(origin) && new URL(origin).host === host;
}
