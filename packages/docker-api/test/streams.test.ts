/** Hijacked connections and streaming responses. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { NetyardError } from '@netyard/core';
import type { Attachment, OutputChunk } from '@netyard/engine';
import { readAll, readUntil, serve } from './client.ts';
import { chunks, details } from './fake-engine.ts';

const upgrade = (path: string, body = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${body}`;

const frame = (stream: number, text: string): string =>
  `${String.fromCharCode(stream)}\0\0\0\0\0\0${String.fromCharCode(text.length)}${text}`;

const never = new Promise<void>(() => {});
const checkStart = async (): Promise<void> => {};

/** A process like cat: it echoes its input and ends with it. */
function cat(tty: boolean): Attachment {
  const stdin = new PassThrough();
  async function* output(): AsyncGenerator<OutputChunk> {
    for await (const data of stdin) yield { stream: 'stdout', data: data as Buffer };
    yield* chunks(['stderr', 'bye']);
  }
  return { tty, output: output(), stdin, detached: never };
}

test('exec: raw bytes follow the body; half-closing ends the input, the output continues', async (t) => {
  let seen: unknown;
  const server = await serve(t, {
    exec: {
      checkStart,
      start: async (id, { signal: _, ...options }) => {
        seen = { id, ...options };
        return cat(false);
      },
    },
  });
  const socket = await server.raw(`${upgrade('/v1.50/exec/e1/start', '{"Detach":false,"Tty":false}')}early`);
  const head = await readUntil(socket, /\r\n\r\n.*early/s);
  assert.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
  assert.match(head, /Content-Type: application\/vnd\.docker\.multiplexed-stream\r\n/);
  assert.deepEqual(seen, { id: 'e1', detach: false, tty: false });
  assert.ok(head.endsWith(frame(1, 'early')));
  socket.end('late');
  assert.equal(await readAll(socket), frame(1, 'late') + frame(2, 'bye'));
});

test('exec: a tty is raw, an old client gets a 200 and the raw type', async (t) => {
  const server = await serve(t, {
    exec: {
      checkStart,
      start: async () => ({ tty: true, output: chunks(['stdout', 'hi']), stdin: undefined, detached: never }),
    },
  });
  const socket = await server.raw(upgrade('/v1.50/exec/e1/start', '{"Tty":true}'));
  const text = await readAll(socket);
  assert.match(text, /vnd\.docker\.raw-stream.*\r\n\r\nhi$/s);
  const plain = await server.send('POST', '/v1.41/exec/e1/start', { body: { Tty: true } });
  assert.deepEqual([plain.status, plain.body], [200, 'hi']);
  assert.equal(plain.headers['content-type'], 'application/vnd.docker.raw-stream');
});

test('exec: the head is sent before the command starts', async (t) => {
  const started = Promise.withResolvers<void>();
  const server = await serve(t, {
    exec: {
      checkStart,
      start: async () => {
        await started.promise;
        return { tty: false, output: chunks(['stdout', 'hi']), stdin: undefined, detached: never };
      },
    },
  });
  const socket = await server.raw(upgrade('/v1.50/exec/e1/start', '{"Tty":false}'));
  assert.match(await readUntil(socket, /\r\n\r\n/), /^HTTP\/1\.1 101 UPGRADED\r\n.*\r\n\r\n$/s);
  started.resolve();
  assert.equal(await readAll(socket), frame(1, 'hi'));
});

test('exec: framing follows the Tty of start, not of create', async (t) => {
  const attachment = (tty: boolean) => ({ tty, output: chunks(['stdout', 'hi']), stdin: undefined, detached: never });
  const server = await serve(t, { exec: { checkStart, start: async (id) => attachment(id === 'tty') } });
  const start = async (id: string, tty: boolean): Promise<string> =>
    readAll(await server.raw(upgrade(`/v1.50/exec/${id}/start`, JSON.stringify({ Tty: tty }))));
  assert.ok((await start('tty', false)).endsWith(`\r\n\r\n${frame(1, 'hi')}`));
  assert.ok((await start('plain', true)).endsWith('\r\n\r\nhi'));
});

test('exec: a large input reaches a slow process unchanged, in order and to its end', async (t) => {
  const received: Buffer[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  // Copies the bytes only when it completes a write: until then they must not change.
  const stdin = new Writable({
    highWaterMark: 256 * 1024,
    write(chunk: Buffer, _encoding, done) {
      setImmediate(() => {
        received.push(Buffer.from(chunk));
        done();
      });
    },
    final(done) {
      end();
      done();
    },
  });
  async function* output(): AsyncGenerator<OutputChunk> {
    await ended;
    yield* chunks(['stdout', 'bye']);
  }
  const attachment: Attachment = { tty: true, output: output(), stdin, detached: never };
  const server = await serve(t, { exec: { checkStart, start: async () => attachment } });
  const socket = await server.raw(upgrade('/v1.50/exec/e1/start', '{"Tty":true}'));
  await readUntil(socket, /\r\n\r\n/);
  const numbers = Uint32Array.from({ length: 1 << 20 }, (_, index) => index);
  socket.end(Buffer.from(numbers.buffer));
  assert.equal(await readAll(socket), 'bye');
  assert.ok(Buffer.concat(received).equals(Buffer.from(numbers.buffer)));
});

test('attach and exec: both directions are raw without `Connection: Upgrade` too', async (t) => {
  const server = await serve(t, {
    exec: { checkStart, start: async () => cat(false) },
    containers: { attach: async () => cat(false) },
  });
  const cases = [
    ['Upgrade: tcp\r\n', '101 UPGRADED'],
    ['', '200 OK'],
  ] as const;
  for (const [header, status] of cases)
    for (const path of ['/v1.50/exec/e1/start', '/v1.50/containers/c1/attach?stream=1&stdin=1&stdout=1']) {
      const body = path.includes('exec') ? '{}' : '';
      const type = body === '' ? '' : 'Content-Type: application/json\r\n';
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\n${header}${type}Content-Length: ${body.length}\r\n\r\n`;
      const socket = await server.raw(head + body);
      const answer = await readUntil(socket, /\r\n\r\n/);
      assert.ok(answer.startsWith(`HTTP/1.1 ${status}\r\n`), answer);
      assert.equal(answer.includes('Transfer-Encoding'), false);
      socket.write('GET / no HTTP');
      await readUntil(socket, /no HTTP/);
      socket.end('late');
      assert.equal(await readAll(socket), frame(1, 'late') + frame(2, 'bye'));
    }
});

test('exec: the stream says why a command cannot run; a missing exec is a 404', async (t) => {
  const text = 'exec: "nope": executable file not found in $PATH';
  const server = await serve(t, {
    exec: {
      checkStart: async (id) => {
        if (id !== 'e1') throw new NetyardError('not-found', 'No such exec instance');
      },
      start: async () => {
        throw new NetyardError('invalid', text);
      },
    },
  });
  const body = '{"Detach":false,"Tty":true}';
  assert.match(await readAll(await server.raw(upgrade('/exec/e1/start', body))), /^HTTP\/1\.1 101 .*\$PATH\r\n$/s);
  assert.match(await readAll(await server.raw(upgrade('/exec/e2/start', body))), /^HTTP\/1\.1 404 .*No such exec/s);
  const detached = await server.send('POST', '/exec/e1/start', { body: { Detach: true } });
  assert.deepEqual([detached.status, JSON.parse(detached.body).message], [400, text]);
});

test('attach: a client that vanishes ends the attachment', async (t) => {
  const gone = Promise.withResolvers<void>();
  const server = await serve(t, {
    containers: {
      attach: async (_ref, { signal }) => {
        signal.addEventListener('abort', () => gone.resolve());
        async function* output(): AsyncGenerator<OutputChunk> {
          for (;;) {
            yield { stream: 'stdout', data: Buffer.alloc(65_536) };
            await new Promise((resolve) => setImmediate(resolve));
          }
        }
        return { tty: true, output: output(), stdin: undefined, detached: never };
      },
    },
  });
  const socket = await server.raw(upgrade('/containers/c/attach?stream=1&stdout=1'));
  await once(socket, 'data');
  socket.destroy();
  await gone.promise;
});

test('attach: a slow reader slows the source down', async (t) => {
  let taken = 0;
  const server = await serve(t, {
    containers: {
      attach: async () => {
        async function* output(): AsyncGenerator<OutputChunk> {
          for (; taken < 1_000; taken += 1) yield { stream: 'stdout', data: Buffer.alloc(65_536) };
        }
        return { tty: true, output: output(), stdin: undefined, detached: never };
      },
    },
  });
  const socket = await server.raw(upgrade('/containers/c/attach?stream=1&stdout=1'));
  await once(socket, 'readable');
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(taken < 100, `${taken} chunks taken while the client does not read`);
  const rest = await readAll(socket);
  assert.equal(rest.length - rest.indexOf('\r\n\r\n') - 4, 65_536_000);
});

test('an upgrade of another path is an ordinary request', async (t) => {
  const server = await serve(t, {});
  const answer = await server.send('POST', '/session', { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } });
  assert.equal(answer.status, 501);
});

test('wait sends its head at once', async (t) => {
  const exit = Promise.withResolvers<{ exitCode: number }>();
  const server = await serve(t, { containers: { wait: async () => ({ done: exit.promise }) } });
  const socket = await server.raw('POST /v1.50/containers/c/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(await readUntil(socket, /\r\n\r\n/), /^HTTP\/1\.1 200 OK/);
  exit.resolve({ exitCode: 137 });
  assert.match(await readUntil(socket, /\}/), /\{"StatusCode":137\}/);
  socket.destroy();
  assert.equal((await server.send('POST', '/v1.50/containers/c/wait?condition=never')).status, 400);
});

test('logs: chunks of the engine are unchanged, and parameters reach it', async (t) => {
  let seen: unknown;
  const server = await serve(t, {
    containers: {
      logs: async (_ref, { signal: _, ...options }) => {
        seen = options;
        async function* output() {
          yield Buffer.from('framed ');
          yield Buffer.from('chunks');
        }
        return { tty: false, output: output() };
      },
    },
  });
  const query = 'stdout=1&timestamps=1&follow=1&tail=5&since=1795464000.5&until=0';
  const answer = await server.send('GET', `/v1.50/containers/c/logs?${query}`);
  assert.equal(answer.body, 'framed chunks');
  const since = 1_795_464_000_500_000_000n;
  const dressed = { timestamps: true, details: false };
  assert.deepEqual(seen, { stdout: true, stderr: false, follow: true, tail: 5, since, until: undefined, ...dressed });
  await server.send('GET', '/containers/c/logs?stderr=1&details=1');
  const plain = { follow: false, tail: undefined, since: undefined, until: undefined };
  assert.deepEqual(seen, { stdout: false, stderr: true, ...plain, timestamps: false, details: true });
  const none = await server.send('GET', '/containers/c/logs');
  assert.equal(JSON.parse(none.body).message, 'Bad parameters: you must choose at least one stream');
});

test('progress: a client that does not read slows the work down, and its disconnection ends it', async (t) => {
  let sent = 0;
  let ended = false;
  const server = await serve(t, {
    images: {
      async *pull() {
        try {
          for (; sent < 100_000; sent += 1)
            yield { id: 'l1', status: 'x'.repeat(1_000), current: sent, total: 100_000 };
        } finally {
          ended = true;
        }
      },
    },
  });
  const socket = await server.raw('POST /images/create?fromImage=a&tag=latest HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'readable');
  for (let round = 0; round < 50; round += 1) await server.send('GET', '/_ping');
  const waiting = sent;
  assert.ok(waiting < 50_000, `${waiting} lines while the client does not read`);
  for (let round = 0; round < 50; round += 1) await server.send('GET', '/_ping');
  assert.equal(sent, waiting);
  assert.equal(ended, false);
  socket.destroy();
  while (!ended) await server.send('GET', '/_ping');
});

test('progress: an error after the first line is a line', async (t) => {
  const server = await serve(t, {
    images: {
      async *pull(image) {
        if (image === 'none') throw new NetyardError('not-found', 'manifest unknown');
        yield { id: 'l1', status: 'Downloading', current: 1, total: 2 };
        throw new NetyardError('unavailable', 'registry disconnected');
      },
    },
    containers: {
      inspect: async () => {
        throw new NetyardError('not-found', 'No such container: none');
      },
    },
  });
  const answer = await server.send('POST', '/v1.50/images/create?fromImage=a&tag=latest');
  const [first, last] = answer.body
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(first.progressDetail, { current: 1, total: 2 });
  assert.deepEqual(last, { errorDetail: { message: 'registry disconnected' }, error: 'registry disconnected' });
  assert.equal((await server.send('POST', '/images/create?fromImage=none')).status, 404);
});

test('a container’s name as an image reference returns the registry’s message and a hint', async (t) => {
  const server = await serve(t, {
    images: {
      // biome-ignore lint/correctness/useYield: fails before the first progress line
      async *pull() {
        throw new NetyardError('not-found', 'pull access denied for nginx-1');
      },
    },
    containers: {
      inspect: async (ref) => {
        if (ref !== 'nginx-1') throw new NetyardError('not-found', `No such container: ${ref}`);
        return details;
      },
    },
  });
  const pull = async (image: string) =>
    JSON.parse((await server.send('POST', `/images/create?fromImage=${image}&tag=latest`)).body).message;
  const denied = 'pull access denied for nginx-1';
  const hint = 'nginx-1 is a container; run a command in it with `docker exec -it nginx-1 bash`';
  assert.equal(await pull('docker.io/library/nginx-1'), `${denied}\n${hint}`);
  assert.equal(await pull('other'), denied);
});
