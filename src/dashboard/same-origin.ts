export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/**
 * Whether a request that changes something comes from the page itself. Unless CORS allows it, a page of another site
 * cannot send a custom header. It can never choose `Sec-Fetch-Site` or `Origin`. Browsers omit `Sec-Fetch-Site` without
 * TLS. A request with neither header does not come from a browser.
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
