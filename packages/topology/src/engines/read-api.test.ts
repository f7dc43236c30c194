import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import { readApiEngine } from './read-api.ts';

async function serve(context: TestContext, answer: (response: ServerResponse) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'netyard-engine-'));
  const path = join(folder, 'engine.sock');
  const server = createServer((_request, response) => answer(response)).listen(path);
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return path;
}

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(1024 * 1024, ' ');
}

for (const status of [200, 500])
  test(`an engine whose answer ${status} has no end is a problem, and is not read to the end`, async (context) => {
    const path = await serve(context, (response) => {
      response.statusCode = status;
      void pipeline(Readable.from(endless()), response).catch(() => undefined);
    });
    const { engine, containers } = await readApiEngine(path, 'docker', { timeout: 60_000 });
    assert.match(engine.problem ?? '', /^an answer is longer than \d+ bytes$/);
    assert.deepEqual(containers, []);
  });
