/**
 * Clients that follow logs, in their own process so that their work does not delay the measurements. The arguments are a
 * socket and container ids. Prints `ready` when all requests are answered, and runs until it is killed.
 */
import { request } from 'node:http';

const [socketPath = '', ...ids] = process.argv.slice(2);

function follow(id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = `/v1.41/containers/${id}/logs?stdout=1&stderr=1&follow=1&tail=0`;
    const sent = request({ socketPath, path, agent: false }, (answer) => {
      answer.resume();
      resolve();
    });
    sent.on('error', reject).end();
  });
}

await Promise.all(ids.map(follow));
process.stdout.write('ready\n');
