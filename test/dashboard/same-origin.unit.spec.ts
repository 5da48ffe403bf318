import { describe, expect, it } from 'vitest';
import { isFromThePage } from '../../src/dashboard/same-origin.js';

const OURS = { 'x-redlock-dashboard': '1' };
const HOST = 'app.example';

describe('a request that changes something', () => {
  it.each([[{ 'sec-fetch-site': 'same-origin' }], [{ origin: 'https://app.example' }], [{}]])(
    'is from the page with %j',
    (headers) => expect(isFromThePage({ ...OURS, ...headers }, HOST)).toBe(true),
  );

  it.each([
    [{ 'x-redlock-dashboard': undefined }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site', origin: 'https://app.example' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'https://app.example.evil.example' }],
    [{ origin: 'https://app.example:8443' }],
    [{ origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' }],
    [{ origin: 'null' }],
  ])('is not from the page with %j', (headers) =>
    expect(isFromThePage({ ...OURS, ...headers }, HOST)).toBe(false),
  );
});
