import { describe, expect, it } from 'vitest';
import { messageOf, redacted, shown } from '../src/display.js';
import { recordedError } from '../src/records/run-record.js';
import { namesSecret, withoutSecrets } from '../src/secrets.js';

const SECRET = 'hUnter2';
const AWS_KEY = 'AKIAIOSFODNN7EXAMPLE';
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln';

describe('a message', () => {
  it.each([
    `401: Authorization: Bearer ${SECRET} for a user`,
    `Authorization: ${SECRET}`,
    `Bearer ${SECRET}`,
    `basic ${SECRET}`,
    `auth: Bearer ${SECRET}`,
    `password=${SECRET} rejected`,
    `connect host=db user=me password = ${SECRET}`,
    `DB_PASSWORD=${SECRET}`,
    `PGPASSWORD:${SECRET}`,
    `pwd=${SECRET}`,
    `passphrase: ${SECRET}`,
    JSON.stringify({ password: `a" ${SECRET} b`, id: 1 }),
    JSON.stringify(JSON.stringify({ password: `a ${SECRET}` })),
    `{"password":"a ${SECRET}`,
    `{ user: 'me', password: 'a ${SECRET}' }`,
    `Map(1) { 'password' => 'a ${SECRET}' }`,
    `{ token: 'x${SECRET}', id: 1 }`,
    `token: ${SECRET}`,
    `X-Auth-Token:9f8a7b6c5d4e3f2${SECRET}`,
    `token:abcdefghijk12345:${SECRET}`,
    `Signature: ${SECRET}`,
    `auth: ${AWS_KEY}:${SECRET}`,
    `Authorization: AWS ${AWS_KEY}:${SECRET}/a=`,
    `Authorization: AWS4-HMAC-SHA256 Credential=me, SignedHeaders=host, Signature=${SECRET}`,
    `privateKey=-----BEGIN PRIVATE KEY-----\\nMII${SECRET}\\n-----END PRIVATE KEY----- refused`,
    `-----BEGIN RSA PRIVATE KEY-----\n${SECRET}`,
    `GET /x?api_key=${SECRET} 500`,
    `GET /x?id=1&token=${SECRET}&page=2 500`,
    `api-key: ${SECRET}`,
    `X-Api-Key: ${SECRET}`,
    `the private key: ${SECRET}`,
    `AWS_SECRET_ACCESS_KEY=${SECRET}`,
    `AccountName=a;AccountKey=${SECRET}`,
    `client_secret=${SECRET}`,
    `sessionId=${SECRET}`,
    `Set-Cookie: sid=${SECRET}; Path=/; HttpOnly`,
    `Cookie: a=1; sid=${SECRET}; b=2`,
    `credentials: ${SECRET}`,
    `session=1; password="correct ${SECRET} staple"`,
    JSON.stringify({ credentials: { aws: { id: 'x', key: SECRET } } }),
    JSON.stringify({ secrets: [[SECRET]] }),
    `Authorization: ApiKey ${SECRET}`,
    `{ authorization: 'Bearer abc123def', cookie: 'sid=${SECRET}' }`,
    `{ authorization: 'Bearer abc123def', password: '${SECRET}' }`,
    `Authorization: none x1,password="correct ${SECRET} staple"`,
    `Cookie: a=1; b="x"; sid=${SECRET}`,
    JSON.stringify({ authorization: `SSWS ${SECRET}` }),
    `credentials: { user: "me", key: "a ${SECRET}" }`,
  ])('does not show the secret in it: %s', (message) => {
    expect(redacted(message)).toContain('***');
    const texts = [messageOf(new Error(message)), recordedError(new Error(message)), shown(message)];
    expect(texts.join('\n')).not.toContain(SECRET);
  });

  it.each([`the key ${AWS_KEY} is inactive`, `ASIA${AWS_KEY.slice(4)}`, `invalid: ${JWT}`])(
    'does not show a key of a known form: %s',
    (message) => expect(redacted(message)).not.toMatch(/IOSFODNN7|c2ln/),
  );

  it('keeps what is around the secret', () => {
    expect(redacted('401: Authorization: Bearer abc.def for a user')).toBe(
      '401: Authorization: *** for a user',
    );
    expect(redacted('{"a":1,"password":"x","b":2}')).toBe('{"a":1,"password":***,"b":2}');
    expect(redacted('GET /x?api_key=x 500')).toBe('GET /x?api_key=*** 500');
    expect(redacted('request to https://ntfy.sh/s3cretTopic failed')).toBe('request to https://*** failed');
  });

  it.each([
    'token of the claim',
    'key "{JOB_LOCKER_report}:last"',
    'The lock of "session:cleanup" is lost',
    'WRONGPASS invalid username-password pair or user is disabled.',
    'NOAUTH Authentication required.',
    'ERR AUTH <password> called without any password configured for the default user.',
    'it requires a password (NOAUTH): set the password in nodes',
    'Its keys are {JOB_LOCKER_a}:pause: delete what something else has written',
    'Error: connect ECONNREFUSED 10.0.0.1:6379',
    'Redis at redis-session:6379',
    'The lock of "session:cleanup-of-carts-1" is lost',
    'expected "-----BEGIN CERTIFICATE-----", got nothing',
    'Basic authentication required',
    'Bearer token missing.',
    'WWW-Authenticate: Bearer realm="api"',
    'OAuth: invalid_grant',
    'Unexpected token: }',
    'Unexpected token = in JSON at position 4',
    'Invalid token: jwt expired',
    'token === undefined',
    'Tests passed: 5, author: Bob, max_tokens=4096',
    'bypass: true, compass: north',
  ])('without a secret is left as it is: %s', (message) => expect(redacted(message)).toBe(message));

  it('is searched in a moment, whatever it repeats', () => {
    const parts = [
      'pass',
      'token',
      'session:',
      'bearer ',
      'auth: ',
      'password= ',
      'token="',
      'token:1',
      '-----BEGIN PRIVATE KEY-----',
      'eyJ-',
      "secret='",
      ' ',
      '=',
      '\\',
    ];
    const begin = performance.now();
    for (const part of [...parts, 'secret\\', 'a;b=', 'cookie=a; b=', 'eyJ', 'AKIA', 'Bearer a.', '"', '-']) {
      for (const before of ['', 'password', 'token: ', 'Bearer ']) {
        const text = before + part.repeat(100_000 / part.length);
        shown(text);
        withoutSecrets(text);
        namesSecret(text);
        expect(recordedError(new Error(text)).length).toBeLessThanOrEqual(200);
      }
    }
    expect(performance.now() - begin).toBeLessThan(2000);
  });
});
