import { afterEach, expect, it, vi } from 'vitest';
import { fetchOverview, perform } from '../../src/dashboard/page/server-api.js';

afterEach(() => void vi.unstubAllGlobals());

function answerWith(status: number, body: unknown): void {
  vi.stubGlobal('fetch', async () => Response.json(body, { status }));
}

it.each([
  [
    'of a guard',
    403,
    { message: 'Forbidden resource', error: 'Forbidden', statusCode: 403 },
    'You are not allowed to do this.',
  ],
  ['of a proxy', 403, 'no', 'You are not allowed to do this.'],
  [
    'of the dashboard',
    403,
    { error: 'If a proxy replaces the Host header, …' },
    'If a proxy replaces the Host header, …',
  ],
  ['without a session', 401, { error: 'Unauthorized' }, 'You are not signed in.'],
  ['without a reason', 502, {}, 'The server answered 502'],
])('a refusal %s is explained', async (_which, status, body, message) => {
  answerWith(status, body);
  await expect(perform('pause', { name: 'report' })).rejects.toThrow(message);
  await expect(fetchOverview([])).rejects.toMatchObject({ status, message });
});
