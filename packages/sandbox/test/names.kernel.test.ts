/** Tests name servers in real namespaces with real resolvers and an upstream server on the host's loopback. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { openKernel } from '@netyard/kernel';
import { addUplink, eventually, inFreshHost, sh } from '@netyard/testkit';
import { type Answer, decode, encode, TRUNCATED_RESPONSE } from 'dns-packet';
import type { SandboxConfig } from '../src/index.ts';
import { FakeDirectory, remote } from './fake-directory.ts';
import { nameServerSockets, openDescriptors, stillOpen } from './name-server-sockets.ts';
import { Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();
const directory = new FakeDirectory('server1');
const testbed = new Testbed({ kernel, adapters: { directory } });
const run = promisify(execFile);
const others = [
  { name: 'server2', address: '192.0.2.102', subnets: ['192.168.12.0/24'] },
  { name: 'server3', address: '192.0.2.103', subnets: ['192.168.13.0/24'] },
];
const closing: (() => void)[] = [];

const known = ['outside.example', 'big.example'];

/** An upstream on 127.0.0.53, where systemd-resolved listens. The answer for `big.example` does not fit into UDP. */
async function serveUpstream(): Promise<void> {
  const answer = (query: Buffer, isTcp: boolean): Buffer => {
    const { id = 0, questions = [] } = decode(query);
    const name = questions[0]?.name ?? '';
    const isBig = name === 'big.example';
    const records = Array.from({ length: isBig ? 100 : 1 }, (_, at): Answer => {
      return { type: 'A', name, ttl: 60, data: `198.51.100.${at + 1}` };
    });
    const flags = isBig && !isTcp ? TRUNCATED_RESPONSE : known.includes(name) ? 0 : 3;
    return encode({ type: 'response', id, flags, questions, answers: flags === 0 ? records : [] });
  };
  const udp = createSocket('udp4', (query, { port, address }) => udp.send(answer(query, false), port, address));
  udp.bind(53, '127.0.0.53');
  await once(udp, 'listening');
  const tcp = createServer((connection) =>
    connection.on('data', (data) => {
      const message = answer(Buffer.from(data).subarray(2), true);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      connection.end(Buffer.concat([length, message]));
    }),
  );
  tcp.listen(53, '127.0.0.53');
  await once(tcp, 'listening');
  closing.push(
    () => udp.close(),
    () => tcp.close(),
  );
}

before(async () => {
  if (host.skip) return;
  sh('ip link set lo up');
  addUplink();
  await serveUpstream();
  await testbed.networks.start([]);
  await testbed.networks.setClusterPeers(others);
});
after(async () => {
  await testbed.close();
  for (const close of closing) close();
  kernel.close();
});

type Started = Awaited<ReturnType<Testbed['run']>>;

/** Asks the C library's resolver with the container's own files; '' if the name does not exist. */
async function getent(of: Started, database: string, name: string): Promise<string> {
  const { hosts, resolvConf } = of.files;
  const line = `mount --bind ${hosts} /etc/hosts; mount --bind ${resolvConf} /etc/resolv.conf; exec getent ${database} ${name}`;
  const inside = ['nsenter', `--net=${of.netnsPath}`, 'unshare', '--mount', 'sh', '-c', line];
  const [command = '', ...args] = inside;
  const { stdout } = await run(command, args, { timeout: 120_000 }).catch((error: { stdout?: string }) => error);
  return (stdout ?? '').trim().replace(/\s+/g, ' ');
}

/**
 * Asks c-ares (Node's resolver) inside the namespace, which falls back to TCP; returns the addresses or the error code.
 */
async function ask(of: Started, expression: string): Promise<string> {
  const program = `const { Resolver } = require('node:dns').promises; const r = new Resolver({ timeout: 60_000, tries: 1 });
    r.setServers(['127.0.0.11']); (async () => ${expression})().then((x) => console.log(JSON.stringify(x)), (e) => console.log(e.code));`;
  const { stdout } = await run('nsenter', [`--net=${of.netnsPath}`, process.execPath, '-e', program]);
  return stdout.trim();
}

test('a container resolves NAME.HOST, NAME, addresses and external names', host, async () => {
  directory.setRemote(
    remote('server2', 'nginx-1', '192.168.12.2', '1'),
    remote('server2', 'twice', '192.168.12.3', '2'),
    remote('server3', 'twice', '192.168.13.3', '3'),
  );
  const one = await testbed.run('one');
  assert.match(readFileSync(one.files.resolvConf, 'utf8'), /^nameserver 127\.0\.0\.11\nnameserver 192\.0\.2\.53\n/);
  for (const name of ['nginx-1.server2', 'nginx-1', 'NGINX-1'])
    assert.match(await getent(one, 'ahostsv4', name), /^192\.168\.12\.2 STREAM/);
  assert.match(await getent(one, 'hosts', '192.168.12.2'), /nginx-1\.server2/);
  assert.equal(await getent(one, 'ahostsv4', 'twice'), '', 'ambiguous on two hosts: not found');
  assert.match(await getent(one, 'ahostsv4', 'twice.server3'), /^192\.168\.13\.3 /);
  assert.match(await getent(one, 'ahostsv4', 'outside.example'), /^198\.51\.100\.1 /, 'through 127.0.0.53 of the host');
  assert.equal(await ask(one, "(await r.resolve4('big.example')).length"), '100', 'truncated, then over TCP');
  assert.equal(await ask(one, "r.resolve4('nowhere')"), 'ENOTFOUND');
  assert.equal(await ask(one, "r.resolve6('nginx-1')"), 'ENODATA');
  await testbed.remove(one.containerId);
});

test('names follow the running containers of this host and of others', host, async () => {
  const asker = await testbed.run('asker');
  const web = await testbed.run('web', { publishName: true });
  await testbed.run('quiet').then(({ containerId }) => testbed.remove(containerId));
  const address = web.endpoints[0]?.addresses.v4?.address ?? '';
  assert.deepEqual(directory.published, [{ name: 'web', containerId: web.containerId, address }]);
  assert.equal(await ask(asker, "r.resolve4('web')"), `["${address}"]`);
  assert.equal(await ask(asker, "r.resolve4('web.server1')"), `["${address}"]`);
  await testbed.rename(web.containerId, 'site');
  assert.equal(await ask(asker, "r.resolve4('web')"), 'ENOTFOUND');
  assert.equal(await ask(asker, "r.resolve4('site')"), `["${address}"]`);
  await testbed.networks.disconnect('bridge', web.containerId, false);
  assert.deepEqual(directory.published, []);
  await testbed.networks.connect('bridge', web.containerId, { network: 'bridge' });
  assert.equal(directory.published.length, 1);
  await testbed.stop(web.containerId);
  assert.deepEqual(directory.published, []);
  assert.equal(await ask(asker, "r.resolve4('site')"), 'ENOTFOUND');
  directory.setRemote(remote('server2', 'site', '192.168.12.9'), remote('server2', 'invalid', '203.0.113.9', '4'));
  assert.equal(await ask(asker, "r.resolve4('site')"), '["192.168.12.9"]');
  assert.equal(await ask(asker, "r.resolve4('invalid')"), 'ENOTFOUND', 'its address is not in a subnet of its host');
  await testbed.remove(web.containerId);
  await testbed.remove(asker.containerId);
});

test(
  'the name server of a container costs two sockets, closed when its stop returns; no descriptor leaks',
  host,
  async () => {
    const one = await testbed.run('one');
    const sockets = nameServerSockets(one);
    assert.equal(sockets.length, 2);
    await testbed.stop(one.containerId);
    assert.deepEqual(stillOpen(sockets), []);
    const before = openDescriptors().length;
    for (let round = 0; round < 10; round += 1) {
      await testbed.start(one.containerId);
      await testbed.stop(one.containerId);
    }
    await eventually('fewer descriptors than starts are left', () => openDescriptors().length < before + 10);
    await testbed.remove(one.containerId);
  },
);

test(
  'a shared namespace has one name server, also while its owner is stopped; some configurations have none',
  host,
  async () => {
    const owner = await testbed.run('owner');
    const sharer = await testbed.run('sharer', { mode: { kind: 'container', ref: owner.containerId } });
    const sockets = nameServerSockets(sharer);
    assert.equal(sockets.length, 2);
    await testbed.stop(owner.containerId);
    assert.equal(await ask({ ...sharer, files: owner.files }, "r.resolve4('outside.example')"), '["198.51.100.1"]');
    await testbed.start(owner.containerId);
    assert.equal(await ask(sharer, "r.resolve4('outside.example')"), '["198.51.100.1"]');
    await testbed.stop(owner.containerId);
    assert.equal(nameServerSockets(sharer).length, 2);
    sockets.push(...nameServerSockets(sharer));
    await testbed.remove(sharer.containerId);
    assert.deepEqual(stillOpen(sockets), []);
    await testbed.remove(owner.containerId);
    const cases: Partial<SandboxConfig>[] = [
      { mode: { kind: 'none' } },
      { exposed: [{ protocol: 'udp', port: 53 }] },
      { dns: ['127.0.0.1'] },
    ];
    for (const config of cases) {
      const id = await testbed.create('other', config);
      const state = await testbed.start(id);
      assert.deepEqual(nameServerSockets(state), []);
      assert.doesNotMatch(readFileSync(state.files.resolvConf, 'utf8'), /127\.0\.0\.11/);
      await testbed.remove(id);
    }
  },
);

test('a restarted daemon serves running containers and publishes them once', host, async () => {
  const web = await testbed.run('web', { publishName: true });
  const calls = directory.calls;
  await testbed.networks.close();
  assert.equal(await ask(web, "r.resolve4('web')"), 'ECONNREFUSED');
  const networks = testbed.open();
  await networks.start([web.containerId]);
  await networks.setClusterPeers(others);
  assert.equal(directory.calls, calls + 1);
  assert.equal(await ask(web, "(await r.resolve4('web')).length"), '1');
  await testbed.remove(web.containerId);
});

test('queries go to the servers of --dns only; without a reachable one they fail with SERVFAIL', host, async () => {
  const one = await testbed.run('one', { dns: ['192.0.2.1'] });
  assert.equal(await ask(one, "r.resolve4('outside.example')"), 'ESERVFAIL');
  assert.match(readFileSync(one.files.resolvConf, 'utf8'), /^nameserver 127\.0\.0\.11\nnameserver 192\.0\.2\.1\n/);
  await testbed.remove(one.containerId);
});

test(
  'a flood of queries and connections does not stop the daemon or the service of other containers',
  host,
  async () => {
    const one = await testbed.run('one');
    const other = await testbed.run('other');
    const flood = `const d = require('node:dgram'), n = require('node:net');
    const s = d.createSocket('udp4'); const q = Buffer.alloc(40, 1);
    for (let i = 0; i < 3000; i += 1) s.send(i % 3 ? q.subarray(0, i % 40) : Buffer.from('123401000001000000000000076578616d706c65036f72670000010001', 'hex'), 53, '127.0.0.11');
    for (let i = 0; i < 60; i += 1) n.connect(53, '127.0.0.11').on('error', () => {});
    setTimeout(() => process.exit(0), 1500);`;
    const flooding = run('nsenter', [`--net=${one.netnsPath}`, process.execPath, '-e', flood]);
    assert.equal(await ask(other, "r.resolve4('outside.example')"), '["198.51.100.1"]');
    await flooding;
    await eventually('the sockets of the flood are closed', () => openDescriptors().length < 100);
    await testbed.remove(one.containerId);
    await testbed.remove(other.containerId);
  },
);

test('a link to another host is a line in the hosts file that is updated in place', host, async () => {
  directory.setRemote(remote('server2', 'nginx-1', '192.168.12.2', 'd'));
  const parent = await testbed.run('parent', { links: ['server2/nginx-1:web1', 'server2/nginx-1'] });
  const hosts = (): string => readFileSync(parent.files.hosts, 'utf8');
  assert.match(hosts(), /^192\.168\.12\.2\tweb1 dddddddddddd nginx-1\n192\.168\.12\.2\tnginx-1 dddddddddddd\n172\./m);
  assert.match(await getent(parent, 'hosts', 'web1'), /^192\.168\.12\.2 web1/);
  const inode = sh(`stat -c %i ${parent.files.hosts}`);
  directory.setRemote(remote('server2', 'nginx-1', '192.168.12.7', 'd'));
  await eventually('a new address', () => /^192\.168\.12\.7\tweb1 dddddddddddd nginx-1$/m.test(hosts()));
  directory.setRemote();
  directory.setRemote(remote('server3', 'nginx-1', '192.168.13.2', 'e'));
  await eventually('another host', () => /^192\.168\.13\.2\tweb1 eeeeeeeeeeee nginx-1$/m.test(hosts()));
  directory.setRemote();
  await testbed.networks.close();
  directory.others = [remote('server2', 'nginx-1', '192.168.12.8', 'f')];
  const networks = testbed.open();
  await networks.start([parent.containerId]);
  await networks.setClusterPeers(others);
  await eventually('a change made while the daemon was down', () =>
    /^192\.168\.12\.8\tweb1 ffffffffffff/m.test(hosts()),
  );
  assert.equal(sh(`stat -c %i ${parent.files.hosts}`), inode);
  assert.equal(hosts().match(/web1/g)?.length, 1);
  await testbed.remove(parent.containerId);
  assert.deepEqual(testbed.store.links(), []);
});
