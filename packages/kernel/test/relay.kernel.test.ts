/** Relayed ports on a real kernel: connections and datagrams over IPv6 reach servers that have only IPv4. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@netyard/core';
import { hasErrno, openKernel, type PortReservation } from '@netyard/kernel';
import { inFreshHost } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();
/** Two addresses of the host. */
const [one, two] = ['fd00:5::1', 'fd00:5::2'];

before(() => {
  if (host.skip) return;
  execFileSync('sh', ['-c', `for a in ${one} ${two}; do ip -6 address add $a/128 dev lo nodad; done`]);
});
after(() => kernel.close());

/** A server at 127.0.0.1. */
async function serve(handle: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    handle(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : 0 };
}

function relayTo(port: number, reserved = kernel.reservePort('tcp', '::', 0)): PortReservation {
  reserved.relay({ address: '127.0.0.1', port });
  return reserved;
}

async function dial(port: number, address: string = one): Promise<Socket> {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket.on('error', () => undefined);
}

/** Not by iterating, which would destroy a socket that can still be written to. */
async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
  await once(socket, 'end');
  return Buffer.concat(chunks).toString();
}

/** Unlike `once`, it does not fail when the socket does. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

test('a connection over IPv6 reaches an IPv4 server, which may answer after the end of the request', host, async () => {
  const { server, port } = await serve(async (socket) => {
    const request = await readAll(socket);
    socket.end(`${socket.remoteAddress} ${request.length} ${request.slice(-3)}`);
  });
  const relayed = relayTo(port);
  const client = await dial(relayed.port);
  client.end(`${'x'.repeat(1_000_000)}end`);
  assert.equal(await readAll(client), '127.0.0.1 1000003 end');
  relayed.close();
  server.close();
});

test('a server that does not read stops its client, and receives every byte later', host, async () => {
  const total = 64 * 1024 * 1024;
  let accepted: ((socket: Socket) => void) | undefined;
  const incoming = new Promise<Socket>((resolve) => {
    accepted = resolve;
  });
  const { server, port } = await serve((socket) => accepted?.(socket.pause()));
  const relayed = relayTo(port);
  const client = await dial(relayed.port);
  const socket = await incoming;
  let written = false;
  client.write(Buffer.alloc(total, 'a'), () => {
    written = true;
  });
  await sleep(300);
  assert.equal(written, false, 'the client waits for the server');
  let received = 0;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.resume();
  client.end();
  await once(socket, 'end');
  assert.equal(received, total);
  socket.end();
  await closed(client.resume());
  relayed.close();
  server.close();
});

test('a slow client that ended its request receives all of an answer that has ended', host, async () => {
  const { server, port } = await serve(async (socket) => {
    socket.end('x'.repeat(Number(await readAll(socket))));
  });
  const relayed = relayTo(port);
  // Which of these is partly on its way and partly unread in the relay depends on the buffers of the kernel.
  const sizes = Array.from({ length: 12 }, (_, index) => (index + 1) * 1024 * 1024);
  const clients = await Promise.all(
    sizes.map(async (size) => {
      const client = (await dial(relayed.port)).pause();
      client.end(`${size}`);
      return client;
    }),
  );
  await sleep(500); // the answers fill the buffers
  const received = await Promise.all(clients.map(async (client) => (await readAll(client.resume())).length));
  assert.deepEqual(received, sizes);
  relayed.close();
  server.close();
});

test('a connection that the server refuses or breaks is reset, not ended', host, async () => {
  const { server, port } = await serve((socket) => socket.resetAndDestroy());
  const relayed = relayTo(port);
  const outcome = async (): Promise<string> => {
    const client = connect(relayed.port, one);
    const failed = new Promise<string>((resolve) => {
      client.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      client.on('end', () => resolve('end'));
    });
    client.resume();
    return await failed;
  };
  assert.equal(await outcome(), 'ECONNRESET');
  server.close();
  await once(server, 'close');
  assert.equal(await outcome(), 'ECONNRESET');
  relayed.close();
});

test('a released port is free at once, and its connections have ended', host, async () => {
  const { server, port } = await serve((socket) => socket.write('hello'));
  const relayed = relayTo(port);
  const client = await dial(relayed.port);
  await once(client, 'data');
  relayed.close();
  const again = kernel.reservePort('tcp', '::', relayed.port);
  await closed(client);
  await assert.rejects(once(connect(relayed.port, one), 'connect'), /ECONNREFUSED/);
  relayTo(port, again);
  (await dial(again.port)).destroy(); // relayed again
  again.close();
  server.close();
});

test('while a port is relayed, no other process can listen on it', host, async () => {
  const { server, port } = await serve((socket) => socket.end());
  const relayed = relayTo(port);
  assert.throws(
    () => kernel.reservePort('tcp', '::', relayed.port),
    (error) => hasErrno(error, 'EADDRINUSE'),
  );
  relayed.close();
  server.close();
});

test('a changed target gets the next connections', host, async () => {
  const [first, second] = await Promise.all([serve((socket) => socket.end('1')), serve((socket) => socket.end('2'))]);
  const relayed = relayTo(first.port);
  assert.equal(await readAll(await dial(relayed.port)), '1');
  relayed.relay({ address: '127.0.0.1', port: second.port });
  while ((await readAll(await dial(relayed.port))) === '1') await sleep(5);
  relayed.close();
  for (const { server } of [first, second]) server.close();
});

test('only clients of the given prefix are relayed', host, async () => {
  const { server, port } = await serve((socket) => socket.end('hello'));
  const relayed = kernel.reservePort('tcp', '::', 0);
  relayed.relay({ address: '127.0.0.1', port, clients: `${two}/128` });
  const ask = async (localAddress: string): Promise<string> => {
    const client = connect({ host: one, port: relayed.port, localAddress });
    let answer = '';
    client.on('data', (chunk) => {
      answer += String(chunk);
    });
    client.on('error', (error: NodeJS.ErrnoException) => {
      answer = String(error.code);
    });
    await closed(client);
    return answer;
  };
  assert.equal(await ask(two), 'hello');
  assert.equal(await ask(one), 'ECONNRESET');
  relayed.close();
  server.close();
});

test('datagrams are answered from the address that they were sent to, and clients are kept apart', host, async () => {
  const server = createSocket('udp4').bind(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('message', (message, from) => server.send(`${message} from ${from.port}`, from.port, from.address));
  const relayed = kernel.reservePort('udp', '::', 0);
  relayed.relay({ address: '127.0.0.1', port: server.address().port });
  const ask = async (client: ReturnType<typeof createSocket>, address: string): Promise<[string, RemoteInfo]> => {
    client.send(address, relayed.port, address);
    const [answer, from] = (await once(client, 'message')) as [Buffer, RemoteInfo];
    return [answer.toString(), from];
  };
  const clients = [createSocket('udp6'), createSocket('udp6')];
  const ports = new Set<string>();
  for (const client of clients)
    for (const address of [one, two, one, '::1']) {
      const [answer, from] = await ask(client, address);
      assert.equal(from.address, address);
      assert.equal(from.port, relayed.port);
      const [text, port = ''] = answer.split(' from ');
      assert.equal(text, address);
      ports.add(port);
    }
  assert.equal(ports.size, 6, 'one session per client and address');
  for (const socket of [...clients, server]) socket.close();
  relayed.close();
});

test('senders with ever new addresses at one port end no session of another port', host, async () => {
  execFileSync('ip', ['-6', 'route', 'add', 'local', 'fd00:6::/64', 'dev', 'lo']);
  const server = createSocket('udp4').bind(0, '127.0.0.1');
  await once(server, 'listening');
  const [quiet, flooded] = [0, 0].map(() => kernel.reservePort('udp', '::', 0));
  assert.ok(quiet && flooded);
  for (const port of [quiet, flooded]) port.relay({ address: '127.0.0.1', port: server.address().port });
  const client = createSocket('udp6');
  const from = async (address: string, port: number): Promise<number> => {
    client.send('x', port, address);
    const [, sender] = (await once(server, 'message')) as [Buffer, RemoteInfo];
    return sender.port;
  };
  const before = await from(one, quiet.port);
  for (let index = 1; index < 2100; index += 1) await from(`fd00:6::${index.toString(16)}`, flooded.port);
  assert.equal(await from(one, quiet.port), before);
  for (const opened of [client, server, quiet, flooded]) opened.close();
});

/** Leaves no descriptor to this process until `free` is called. */
function takeDescriptors(): { take: () => void; free: () => void } {
  const limit = (value: string): Buffer => execFileSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${value}:`]);
  const taken: number[] = [];
  const take = (): void => {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    } catch (error) {
      assert.ok(hasErrno(error, 'EMFILE'));
    }
  };
  const before = execFileSync('prlimit', ['--pid', `${process.pid}`, '--nofile', '--noheadings', '-o', 'SOFT']);
  limit('300');
  take();
  const free = (): void => {
    for (const fd of taken) closeSync(fd);
    limit(before.toString().trim());
  };
  return { take, free };
}

test('a port is released where no descriptor is left', host, async () => {
  const own = openKernel();
  const reserved = relayTo(1, own.reservePort('tcp', '::', 0));
  const { free } = takeDescriptors();
  try {
    reserved.close();
  } finally {
    free();
  }
  own.reservePort('tcp', '::', reserved.port).close();
  own.close();
});

/** The epoll set that has a socket, by the port of the socket. */
function findEpoll(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const line = readFileSync('/proc/net/tcp6', 'utf8')
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find((fields) => fields[1]?.endsWith(`:${hex}`) && fields[3] === '0A');
  const inode = Number(line?.[9]).toString(16);
  const found = readdirSync('/proc/self/fd').find((fd) => {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:[eventpoll]') return false;
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').includes(`ino:${inode} `);
    } catch {
      return false; // the descriptor of readdir
    }
  });
  assert.ok(found);
  return Number(found);
}

test('after a crash of its thread, a port is relayed again as soon as descriptors are left', host, async () => {
  const { server, port } = await serve((socket) => socket.end('hello'));
  let failures = 0;
  const failed = (): void => {
    failures += 1;
  };
  const own = openKernel({ logger: { ...silentLogger, error: failed } });
  const relayed = relayTo(port, own.reservePort('tcp', '::', 0));
  assert.equal(await readAll(await dial(relayed.port)), 'hello');
  const epoll = findEpoll(relayed.port);
  const { take, free } = takeDescriptors();
  try {
    closeSync(epoll);
    assert.equal(openSync('/dev/null', 'r'), epoll); // the thread fails, and closes it
    while (failures < 2) {
      await sleep(20);
      take();
    }
  } finally {
    free();
  }
  assert.equal(await readAll(await dial(relayed.port)), 'hello');
  relayed.close();
  own.close();
  server.close();
});
