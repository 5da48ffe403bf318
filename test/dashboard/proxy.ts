import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { closeAfterTest } from '../close-after-test.js';

/** What a proxy does to requests and answers. */
export interface ProxyRules {
  /** The beginning of the paths that it forwards. It answers 404 to all others. */
  readonly from: string;
  /** What takes its place in front of the application. */
  readonly to: string;
  /** Delivers an answer only when it is complete. */
  readonly buffers?: boolean;
}

/**
 * Starts a reverse proxy in front of an application; it is closed after the test. It sends no header that tells the
 * application of the original path, and leaves `Location` as it is. @returns Its address.
 */
export async function startProxy(application: string, rules: ProxyRules): Promise<string> {
  const server = createServer((asked, response) => forward(application, rules, asked, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeAfterTest({
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function forward(
  application: string,
  { from, to, buffers = false }: ProxyRules,
  asked: IncomingMessage,
  response: ServerResponse,
): void {
  const { url = '', method, headers } = asked;
  if (!url.startsWith(from)) return void response.writeHead(404).end();
  const deliver = async (answer: IncomingMessage): Promise<void> => {
    const complete = buffers ? await buffer(answer) : undefined;
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    if (complete) response.end(complete);
    else answer.pipe(response);
  };
  const forwarded = request(application + to + url.slice(from.length), { method, headers });
  forwarded.on('response', (answer) => void deliver(answer));
  forwarded.on('error', () => response.destroy());
  asked.pipe(forwarded);
}
