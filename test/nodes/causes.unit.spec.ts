import { expect, it } from 'vitest';
import { explained } from '../../src/nodes/redis/causes.js';

/** What test/module/causes.spec.ts cannot provoke. */
it.each<[message: string, meaning: string]>([
  [
    'DENIED Redis is running in protected mode because protected mode is enabled and',
    'protected mode (DENIED)',
  ],
  ['TRYAGAIN Multiple keys request', 'is being moved to another server of the Cluster (TRYAGAIN)'],
  ['ASK 12539 10.1.1.2:6379', 'is being moved to another server of the Cluster (ASK)'],
  ['Cluster is ended.', 'the connection was closed'],
  ['MOVED 12539 10.1.1.2:6379', 'one server of a Cluster (MOVED): pass a Cluster'],
  ['ERR invalid password', 'refuses the user name or the password (ERR invalid password)'],
  ['ERR max number of clients reached', 'its maximum number of connections (max number of clients): raise'],
  ['certificate has expired', 'its certificate has expired: renew it'],
  ['unable to verify the first certificate', 'is not trusted (unable to verify the first certificate)'],
  ['Protocol error, got "H" as reply type byte. Please report this.', '(it sends "H"): correct the host'],
  [
    '80AC:error:0A000126:SSL routines:ssl3_read_n:unexpected eof while reading:../deps/openssl/ssl.c:314:\n',
    'the TLS connection failed (unexpected eof while reading)',
  ],
  [
    'All sentinels are unreachable. Retrying from scratch after 50ms. Last error: ERR No such master with that name',
    'no Sentinel knows a group of that name',
  ],
  ['All sentinels are unreachable. Retrying from scratch after 50ms.', 'no Sentinel names a master'],
  ['read ECONNRESET', 'the connection was lost (read ECONNRESET)'],
])('%s is explained', (message, meaning) => {
  expect(explained(new Error(message))).toContain(meaning);
});

it('what a server has sent explains the end of its connection', () => {
  const error = new Error('write EPIPE');
  const of = (greeting: string): string => explained(error, { isTls: false, greeting });
  expect(of('-ERR max number of clients reached\r\n')).toContain('maximum number of connections');
  expect(of('\x15\x03\x03\0\x02\x02\x28')).toContain('requires TLS');
  expect(of('220 mail ESMTP\r\n')).toContain('it answers "220 mail ESMTP"');
  expect(of('220 \x1b[31mred\r\n')).not.toContain('\x1b');
});

it('other errors are left as they are', () => {
  expect(explained(new Error('connect ECONNREFUSED 10.1.1.1:6379'))).toBe(
    'connect ECONNREFUSED 10.1.1.1:6379',
  );
});
