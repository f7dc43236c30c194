/** Large JSON responses are complete, yield to other requests and respect back-pressure. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { readAll, readUntil, serve } from './client.ts';
import { details } from './fake-engine.ts';

const many = (count: number, label = ''): (typeof details)[] =>
  Array.from({ length: count }, (_, index) => ({
    ...details,
    record: { ...details.record, id: String(index), config: { ...details.record.config, labels: { label } } },
  }));

const list = (count: number, label?: string) => ({ containers: { list: async () => many(count, label) } });

test('a long list is complete, and a short one has Content-Length', async (t) => {
  const one = await (await serve(t, list(1))).send('GET', '/containers/json');
  assert.equal(one.headers['content-length'], String(one.body.length));
  const server = await serve(t, list(5000));
  const answer = await server.send('GET', '/containers/json?all=1');
  assert.equal(answer.headers['transfer-encoding'], 'chunked');
  const values = JSON.parse(answer.body) as { Id: string }[];
  assert.deepEqual(
    values.map(({ Id }) => Id),
    Array.from({ length: 5000 }, (_, index) => String(index)),
  );
  assert.equal(answer.body, `${JSON.stringify(values)}\n`);
  const [row] = JSON.parse(one.body) as unknown[];
  assert.equal(JSON.stringify(values[0]), JSON.stringify(row));
});

test('a long list yields to the event loop', async (t) => {
  // Each item takes longer than a time slice.
  let turns = 0;
  const seen: number[] = [];
  const slow = many(20, 'x'.repeat(10_000)).map((summary, index) => ({
    ...summary,
    get statusText() {
      for (const end = performance.now() + 4; performance.now() < end; );
      seen[index] = turns;
      return '';
    },
  }));
  const server = await serve(t, { containers: { list: async () => slow } });
  const counting = setInterval(() => {
    turns += 1;
  }, 0);
  const counted = (function count() {
    setImmediate(() => {
      turns += 1;
      if (seen.length < slow.length) count();
    });
  })();
  const answer = await server.send('GET', '/containers/json?all=1');
  clearInterval(counting);
  assert.equal(counted, undefined);
  assert.equal((JSON.parse(answer.body) as unknown[]).length, slow.length);
  // The first 64 KiB are one slice.
  const later = seen.slice(8);
  assert.equal(new Set(later).size, later.length, `event loop iteration of each item: ${seen}`);
});

test('a list that its client does not read waits', async (t) => {
  let made = 0;
  const total = 5000;
  const summaries = many(total, 'x'.repeat(10_000)).map((summary) => ({
    ...summary,
    get statusText() {
      made += 1;
      return '';
    },
  }));
  const server = await serve(t, { containers: { list: async () => summaries } });
  const socket = await server.raw('GET /containers/json?all=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await readUntil(socket, /\r\n\r\n/);
  socket.pause();
  // Other requests go on; what is written meanwhile stays within the buffers of two sockets.
  for (let round = 0; round < 20; round += 1) assert.equal((await server.send('GET', '/_ping')).status, 200);
  const waiting = made;
  assert.ok(waiting < total / 2, `${waiting} of ${total} were encoded`);
  for (let round = 0; round < 20; round += 1) await server.send('GET', '/_ping');
  assert.equal(made, waiting);
  socket.resume();
  assert.match(await readAll(socket), /\]\n\r\n0\r\n\r\n$/);
  assert.equal(made, total);
});

test('a list ends when its client disconnects', async (t) => {
  let made = 0;
  const summaries = many(5000, 'x'.repeat(10_000)).map((summary) => ({
    ...summary,
    get statusText() {
      made += 1;
      return '';
    },
  }));
  const server = await serve(t, { containers: { list: async () => summaries } });
  const socket = await server.raw('GET /containers/json?all=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  await readUntil(socket, /\r\n\r\n/);
  socket.destroy();
  await once(socket, 'close');
  for (let round = 0; round < 20; round += 1) await server.send('GET', '/_ping');
  assert.ok(made < summaries.length);
});
