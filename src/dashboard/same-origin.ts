export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/**
 * Whether a request that changes something comes from the page itself. A page of another site can neither send a header
 * of its own, unless CORS allows it, nor choose `Sec-Fetch-Site` or `Origin`. Browsers omit `Sec-Fetch-Site` without
 * TLS. A request with neither of the two does not come from a browser.
 *
 * @param host The host that the browser asked for, with its port, as far as the application knows it.
 */
export function isFromThePage(headers: RequestHeaders, host: unknown): boolean {
  if (headers['x-redlock-dashboard'] !== '1') return false;
  const { origin, 'sec-fetch-site': site } = headers;
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
