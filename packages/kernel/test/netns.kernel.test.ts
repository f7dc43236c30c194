/** Namespaces on a real kernel: pins compatible with ip-netns(8), and threads that always return. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isNetyardError } from '@netyard/core';
import {
  createNetns,
  deleteNetns,
  hasErrno,
  listNetns,
  netnsExists,
  netnsIdentity,
  netnsPath,
  openInNetns,
  openListenerInNetns,
} from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const ownNamespace = (): string => readlinkSync('/proc/thread-self/ns/net');

test('ip netns lists and deletes our namespaces, and we list and delete those of ip netns', host, () => {
  createNetns(netnsPath('ours'));
  sh('ip netns add theirs');
  assert.match(sh('ip netns list'), /theirs[\s\S]*ours|ours[\s\S]*theirs/);
  assert.deepEqual(
    listNetns().map((netns) => netns.name),
    ['ours', 'theirs'],
  );
  assert.match(sh('ip netns exec ours ip -o link'), /^1: lo: <LOOPBACK> /);
  sh('ip netns delete ours');
  deleteNetns('/run/netns/theirs');
  assert.equal(sh('ip netns list'), '');
  assert.deepEqual(listNetns(), []);
});

test('a namespace is one mount where /run is shared, and other mount namespaces receive it', host, async () => {
  sh('mount -t tmpfs tmpfs /run && mount --make-shared /run');
  const other = spawn('unshare', ['--mount', '--propagation', 'unchanged', 'sh', '-c', 'echo; exec sleep 60']);
  try {
    await once(other.stdout, 'data');
    const pins = (process: string | number, name: string): number =>
      readFileSync(`/proc/${process}/mountinfo`, 'utf8').split(`/run/netns/${name} `).length - 1;
    const counts = (name: string): number[] => [pins('self', name), pins(other.pid ?? 0, name)];
    createNetns('/run/netns/one');
    assert.deepEqual(counts('one'), [1, 1]);
    sh('ip netns add two');
    assert.deepEqual(counts('two'), [1, 1]);
    sh(`nsenter --mount=/proc/${other.pid}/ns/mnt ip netns delete one`);
    deleteNetns('/run/netns/two');
    assert.deepEqual([...counts('one'), ...counts('two')], [0, 0, 0, 0]);
  } finally {
    other.kill('SIGKILL');
    sh('umount -l /run');
  }
});

test('a new namespace leaves the mounts of others as they are', host, () => {
  createNetns('/run/netns/one');
  sh('mount --make-private /run/netns/one');
  createNetns('/run/netns/two');
  const mountOf = (name: string): string =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .findLast((line) => line.includes(` ${name} `)) ?? '';
  assert.match(mountOf('/run/netns'), / shared:\d+ - /);
  assert.match(mountOf('/run/netns/one'), / rw\S* - nsfs /);
  for (const name of ['one', 'two']) deleteNetns(`/run/netns/${name}`);
});

test('adding twice and deleting twice fail, and a failed add leaves nothing behind', host, () => {
  createNetns('/run/netns/one');
  assert.throws(
    () => createNetns('/run/netns/one'),
    (error) => hasErrno(error, 'EEXIST'),
  );
  deleteNetns('/run/netns/one');
  assert.ok(!existsSync('/run/netns/one'));
  assert.throws(
    () => deleteNetns('/run/netns/one'),
    (error) => hasErrno(error, 'ENOENT'),
  );
  assert.throws(() => createNetns('/proc/one'));
});

test('a stale file left by a crash is no namespace and can be deleted', host, () => {
  writeFileSync('/run/netns/left', '');
  assert.ok(!netnsExists('/run/netns/left'));
  assert.deepEqual(listNetns(), []);
  deleteNetns('/run/netns/left');
  assert.ok(!existsSync('/run/netns/left'));
});

test('a namespace over which others mounted is deleted, also one that was pinned twice', host, () => {
  const path = netnsPath('covered');
  createNetns(path);
  sh(`mount --bind /proc/self/ns/net ${path} && mount --bind ${path} ${path}`);
  deleteNetns(path);
  assert.equal(existsSync(path), false);
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /covered/);
  createNetns(path);
  deleteNetns(path);
});

test('names that would leave the directory are rejected', host, () => {
  for (const name of ['', '.', '..', '../x', 'a/b', 'a\0b', 'x'.repeat(256)]) {
    assert.throws(
      () => netnsPath(name),
      (error) => isNetyardError(error, 'invalid'),
    );
  }
  assert.equal(netnsPath('x'.repeat(255)), `/run/netns/${'x'.repeat(255)}`);
});

test('a namespace recreated under the same path has another identity', host, () => {
  createNetns('/run/netns/id');
  const first = netnsIdentity('/run/netns/id');
  const keep = openInNetns('/run/netns/id', () =>
    openListenerInNetns(undefined, { protocol: 'udp', address: '0.0.0.0', port: 0 }),
  );
  deleteNetns('/run/netns/id');
  createNetns('/run/netns/id');
  assert.notEqual(netnsIdentity('/run/netns/id'), first);
  assert.ok(keep.port > 0);
  deleteNetns('/run/netns/id');
});

test('entering lasts one synchronous step: the thread returns after a failure and after a promise', host, () => {
  createNetns('/run/netns/in');
  const home = ownNamespace();
  assert.notEqual(
    openInNetns('/run/netns/in', () => ownNamespace()),
    home,
  );
  assert.throws(() => openInNetns('/run/netns/in', () => assert.fail('inside')), /inside/);
  assert.equal(ownNamespace(), home);
  assert.throws(() => openInNetns('/run/netns/in', async () => 1), /synchronous/);
  assert.equal(ownNamespace(), home);
  assert.throws(
    () => openInNetns('/run/netns/absent', () => 1),
    (error) => hasErrno(error, 'ENOENT'),
  );
  deleteNetns('/run/netns/in');
});

test('no other thread changes its namespace: not the pool, not a worker, not a new thread', host, async () => {
  createNetns('/run/netns/threads');
  const home = ownNamespace();
  const seen = new Set<string>();
  const source = `const { parentPort } = require('node:worker_threads'); const { readlinkSync } = require('node:fs');
    const end = Date.now() + 150;
    const seen = new Set();
    while (Date.now() < end) seen.add(readlinkSync('/proc/thread-self/ns/net'));
    parentPort.postMessage([...seen]);`;
  const workers = Array.from({ length: 2 }, () => new Worker(source, { eval: true }));
  const answers = workers.map((worker) => new Promise<string[]>((resolve) => worker.once('message', resolve)));
  for (let round = 0; round < 200; round += 1) {
    // Queried before, during and after: the first query starts the threads of the pool.
    const before = readlink('/proc/thread-self/ns/net');
    const during = openInNetns('/run/netns/threads', () => [readlink('/proc/thread-self/ns/net')]);
    for (const answer of await Promise.all([before, ...during])) seen.add(answer);
  }
  for (const answer of (await Promise.all(answers)).flat()) seen.add(answer);
  assert.deepEqual([...seen], [home]);
  deleteNetns('/run/netns/threads');
});

test('a worker can enter a namespace too, and returns', host, async () => {
  createNetns('/run/netns/worker');
  const source = `
    const { parentPort } = require('node:worker_threads'); const { readlinkSync } = require('node:fs');
    import('@netyard/kernel').then(({ openInNetns }) => {
      const here = () => readlinkSync('/proc/thread-self/ns/net');
      parentPort.postMessage([here(), openInNetns('/run/netns/worker', here), here()]);
    });`;
  const worker = new Worker(source, { eval: true });
  const [before, inside, after] = await new Promise<string[]>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  assert.equal(before, ownNamespace());
  assert.notEqual(inside, before);
  assert.equal(after, before);
  deleteNetns('/run/netns/worker');
});

test('UDP and TCP sockets opened inside a namespace are served from outside', host, async () => {
  createNetns('/run/netns/served');
  sh('ip -n served link set lo up');
  const request = { address: '127.0.0.11', port: 53 };
  const udp = createSocket('udp4').bind({
    fd: openListenerInNetns('/run/netns/served', { protocol: 'udp', ...request }).fd,
  });
  udp.on('message', (message, from) => udp.send(`udp ${message}`, from.port, from.address));
  const tcp = createServer((client) => client.end('tcp\n'));
  tcp.listen({ fd: openListenerInNetns('/run/netns/served', { protocol: 'tcp', ...request }).fd });
  await new Promise((resolve) => tcp.once('listening', resolve));
  const script = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (message) => { console.log(String(message)); socket.close(); });
    socket.send('hello', 53, '127.0.0.11');
    require('node:net').connect(53, '127.0.0.11').pipe(process.stdout);`;
  const { execFile } = await import('node:child_process');
  const output = await new Promise<string>((resolve, reject) =>
    execFile('nsenter', ['--net=/run/netns/served', process.execPath, '-e', script], (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    ),
  );
  assert.deepEqual(output.trim().split('\n').sort(), ['tcp', 'udp hello']);
  const refused = await new Promise((resolve) => connect(53, '127.0.0.11').once('error', resolve));
  assert.ok(hasErrno(refused, 'ECONNREFUSED'));
  udp.close();
  tcp.close();
  deleteNetns('/run/netns/served');
});
