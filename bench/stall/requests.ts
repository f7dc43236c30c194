/**
 * Measures requests in its own process, so that nothing else of the benchmark delays them. The argument is a socket; each
 * message is the number of requests, and its answer the milliseconds that each of them took.
 */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { timed } from '../measure.ts';

const [socketPath = ''] = process.argv.slice(2);
/** Between an answer and the next request, so that requests alone take a small part of one CPU. */
const intervalMs = 10;
const sent = 'GET /v1.41/version HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n';

/** One request on a new connection, as the CLI makes it, until the engine closes the connection. */
function getVersion(): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect({ path: socketPath }, () => socket.write(sent));
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.once('end', () => {
      if (received.startsWith('HTTP/1.1 200') && received.includes('ApiVersion')) resolve();
      else reject(new Error(`unexpected answer: ${received.slice(0, 100)}`));
    });
    socket.once('error', reject);
  });
}

async function measure(count: number): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) {
    await pause(intervalMs);
    samples.push(await timed(getVersion));
  }
  return samples;
}

process.on('message', async (count: number) => process.send?.(await measure(count)));
