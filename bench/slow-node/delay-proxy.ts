/**
 * A node that is far away: hands everything on to a local port, and the answers back only after a delay.
 *
 *     node delay-proxy.js PORT DELAY
 *
 * Says on which port it listens to the process that started it.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

const [port, delay] = process.argv.slice(2).map(Number);

const server = createServer({ noDelay: true }, (near) => {
  const far = connect({ port: port ?? 0, host: '127.0.0.1', noDelay: true });
  near.pipe(far);
  // Timers of one length end in the order in which they began, and so do the answers.
  far.on('data', (answer: Buffer) => setTimeout(() => near.write(answer), delay));
  far.on('error', () => near.destroy());
  // What the server said before it closed the connection is still on its way.
  far.on('close', () => setTimeout(() => near.end(), delay));
  near.on('error', () => far.destroy());
  near.on('close', () => far.destroy());
});
process.on('disconnect', () => process.exit());

await once(server.listen(0, '127.0.0.1'), 'listening');
process.send?.((server.address() as AddressInfo).port);
