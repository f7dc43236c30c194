/** Responses to clients that have disconnected. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { answerWith } from './request-context.ts';

test('no timer keeps the response of a closed connection in memory', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-exchange-'));
  const socketPath = join(folder, 'socket');
  const served = Promise.withResolvers<number>();
  const server = createServer((request, response) => {
    const answer = answerWith(request, response, {});
    response.once('close', () => {
      const timers = mock.method(globalThis, 'setTimeout');
      answer.send(200, {}, 'too late');
      served.resolve(timers.mock.callCount());
      timers.mock.restore();
    });
  });
  try {
    server.listen(socketPath);
    await once(server, 'listening');
    const client = connect(socketPath);
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n', () => setTimeout(() => client.destroy(), 20));
    assert.equal(await served.promise, 0);
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});
