/**
 * Tests clients of every stream that never read, abort or half-close: the daemon releases all resources.
 * NETYARD_MISUSE_CLIENTS=500 is the long version.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { apiSocket, call } from './support/api.ts';
import { cannotRun } from './support/engines.ts';
import { openHost, type TestHost, until } from './support/host.ts';

const clients = Number(process.env['NETYARD_MISUSE_CLIENTS'] ?? '50');
const mebibyte = 1024 * 1024;
/** Memory that the daemon's runtime may retain. A leak of a megabyte per client would exceed it. */
const slack = 1024 * mebibyte;
const upgrade = 'Upgrade: tcp\r\nConnection: Upgrade\r\n';
const webSocket =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/**
 * The container `flood` writes without end, `idle` writes nothing. `share`: fraction of the clients for slow streams.
 */
const streams: readonly { name: string; request: string; headers?: string; share?: number }[] = [
  { name: 'events', request: 'GET /events?since=1' },
  { name: 'attach', request: 'POST /containers/flood/attach?stream=1&stdout=1&stderr=1', headers: upgrade },
  { name: 'attach/ws', request: 'GET /containers/flood/attach/ws?stream=1&stdout=1', headers: webSocket },
  { name: 'logs -f', request: 'GET /containers/flood/logs?follow=1&stdout=1' },
  { name: 'stats', request: 'GET /containers/idle/stats?stream=1' },
  { name: 'wait', request: 'POST /containers/idle/wait' },
  { name: 'save', request: 'GET /images/get?names=netyard-test' },
  { name: 'export', request: 'GET /containers/idle/export' },
  { name: 'cp from', request: 'GET /containers/idle/archive?path=/' },
  { name: 'capture', request: 'POST /netyard/v1/capture?target=idle', headers: upgrade, share: 0.3 },
];

/** What a client does after the first bytes of the answer. */
const misuses: Readonly<Record<string, (socket: Socket) => void>> = {
  'never reads': () => {},
  aborts: (socket) => socket.destroy(),
  'half-closes': (socket) => socket.end(),
};

describe('clients that misuse streams', { skip: cannotRun('netyard') }, () => {
  let host: TestHost;
  let daemon = '';
  let baseline: Usage;

  interface Usage {
    descriptors: number;
    threads: number;
    processes: number;
    shims: number;
    memory: number;
  }

  const usage = async (): Promise<Usage> => {
    const line = `ls /proc/${daemon}/fd | wc -l; sed -nE 's/^(Threads|VmRSS):[^0-9]*([0-9]+).*/\\2/p' /proc/${daemon}/status
      ps -eo comm= | grep -vcE '^(ps|sh|grep|ls|sed|wc)$'; ps -eo args= | grep -c '[c]ontainerd-shim' || true`;
    const [descriptors = 0, memory = 0, threads = 0, processes = 0, shims = 0] = (await host.sh(line))
      .trim()
      .split('\n')
      .map(Number);
    return { descriptors, threads, processes, shims, memory: memory * 1024 };
  };

  const settled = async (what: string): Promise<void> => {
    let now = baseline;
    const isBack = async (): Promise<boolean> => {
      now = await usage();
      return (
        now.descriptors <= baseline.descriptors + 8 &&
        now.threads <= baseline.threads + 4 &&
        now.processes <= baseline.processes + 1 &&
        now.shims <= baseline.shims &&
        now.memory <= baseline.memory + slack
      );
    };
    await until(isBack, what, 60_000).catch((error: unknown) => {
      throw new Error(`${what}: before ${JSON.stringify(baseline)}, now ${JSON.stringify(now)}`, { cause: error });
    });
  };

  before(async () => {
    host = await openHost('netyard', { images: ['netyard-test'] });
    const rotation = ['--log-opt', 'max-size=1m', '--log-opt', 'max-file=2'];
    await host.docker('run', '-d', '--name', 'idle', 'netyard-test', 'sleep', '100000');
    await host.docker('run', '-d', '--name', 'flood', ...rotation, 'netyard-test', 'yes', 'a'.repeat(62));
    daemon = (
      await host.sh("ss -xlpH src /run/netyard/netyard.sock | sed -nE 's/.*pid=([0-9]+).*/\\1/p' | head -n 1")
    ).trim();
    // Resources that are created on first use stay: create them before the baseline.
    for (const { request, headers } of streams) (await begin(request, headers)).destroy();
    await host.docker('exec', 'idle', 'true');
    await host.docker('logs', '--tail', '1', 'flood');
    baseline = await usage();
  });
  after(() => host.close());

  /** @returns a client that has received the first bytes of the answer */
  const begin = async (request: string, headers = '', body = ''): Promise<Socket> => {
    const socket = connect({ path: apiSocket(host), allowHalfOpen: true });
    socket.on('error', () => {});
    const type = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    socket.write(`${request} HTTP/1.1\r\nHost: x\r\n${headers}${type}\r\n${body}`);
    await once(socket, 'readable');
    const beginning: Buffer = socket.read();
    assert.match(beginning.toString('latin1'), /^HTTP\/1\.1 (101|200) /);
    socket.unshift(beginning);
    return socket;
  };

  const misuse = async (name: string, open: () => Promise<Socket>, count = clients): Promise<void> => {
    for (const [what, act] of Object.entries(misuses)) {
      const sockets = await Promise.all(Array.from({ length: count }, open));
      try {
        for (const socket of sockets) act(socket);
        assert.match(await host.docker('ps', '--format', '{{.Names}}'), /idle/);
        const { memory } = await usage();
        assert.ok(memory < baseline.memory + slack, `${name}, ${what}: ${memory} bytes, before ${baseline.memory}`);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    }
    await settled(`${name} releases its resources`);
  };

  for (const { name, request, headers, share = 1 } of streams) {
    const count = Math.ceil(clients * share);
    test(`${count} misused clients of ${name} leak nothing`, () => misuse(name, () => begin(request, headers), count));
  }

  test(`${clients} misused clients of exec leak nothing`, async () => {
    const command = { AttachStdout: true, Cmd: ['sh', '-c', 'head -c 1000000 /dev/zero'] };
    const waiting: (() => void)[] = [];
    let running = 0;
    await misuse('exec', async () => {
      // Five at once: each starts a process.
      if (running >= 5) await new Promise<void>((resolve) => waiting.push(resolve));
      running += 1;
      try {
        const made = await call(host, 'POST', '/containers/idle/exec', command);
        const { Id } = JSON.parse(made.body) as { Id: string };
        return await begin(`POST /exec/${Id}/start`, upgrade, '{"Detach":false,"Tty":false}');
      } finally {
        running -= 1;
        waiting.shift()?.();
      }
    });
    await until(
      async () => !(await host.docker('top', 'idle')).includes('head -c'),
      'the commands of disconnected clients end',
    );
  });

  test('two thousand silent connections do not block other clients', async () => {
    const sockets: Socket[] = [];
    const add = async (): Promise<void> => {
      const socket = connect({ path: apiSocket(host) }).on('error', () => {});
      await once(socket, 'connect').then(
        () => sockets.push(socket),
        () => pause(5), // EAGAIN: the backlog is full until the daemon accepts
      );
    };
    try {
      while (sockets.length < 2000) await add();
      assert.equal(await host.docker('exec', 'idle', 'echo', 'on'), 'on');
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await settled('the connections are released');
  });

  test('the daemon works afterwards', async () => {
    assert.equal(await host.docker('exec', 'idle', 'echo', 'on'), 'on');
    assert.equal((await host.docker('logs', '--tail', '1', 'flood')).length, 62);
    assert.equal(await host.docker('run', '--rm', 'netyard-test', 'echo', 'hello'), 'hello');
    await host.removeContainers();
    await until(async () => (await usage()).shims <= baseline.shims, 'the shims end');
  });
});
