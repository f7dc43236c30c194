/**
 * Clients that follow logs, in a process of their own so that what they take does not hold up who measures: arguments
 * are a socket and container ids; says `ready` when all are answered, and runs until it is ended.
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
