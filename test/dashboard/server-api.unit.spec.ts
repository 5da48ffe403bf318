import { afterEach, expect, it, vi } from 'vitest';
import { perform } from '../../src/dashboard/page/server-api.js';

afterEach(() => void vi.unstubAllGlobals());

function answerWith(answer: Response): void {
  vi.stubGlobal('fetch', async () => answer);
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
  answerWith(Response.json(body, { status }));
  await expect(perform('pause', { name: 'report' })).rejects.toThrow(message);
});

it.each([
  ['a refusal', Response.json({ error: 'No such job' }, { status: 404 }), false],
  [
    'a redirection to a page',
    Object.defineProperty(new Response('<p>'), 'redirected', { value: true }),
    false,
  ],
  ['an error of a proxy', new Response('Bad Gateway', { status: 502 }), true],
  ['an answer that was cut off', new Response('{"name":"re'), true],
])('after %s, it is known whether an action may have been done', async (_which, answer, mayBeDone) => {
  answerWith(answer);
  await expect(perform('pause', { name: 'report' })).rejects.toMatchObject({ mayBeDone });
});

it('without an answer, it is not known either, and the message is the same in all browsers', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
  const failure = { message: 'The server does not answer.', mayBeDone: true };
  await expect(perform('pause', { name: 'report' })).rejects.toMatchObject(failure);
});
