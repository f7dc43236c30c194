/** Names over IPv6, by real queries from containers' namespaces: dual-stack and IPv6-only networks, upstreams, files. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { promisify } from 'node:util';
import { openKernel } from '@netyard/kernel';
import { inFreshHost, sh } from '@netyard/testkit';
import { type Answer, decode, encode } from 'dns-packet';
import { on, Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const kernel = openKernel();
const testbed = new Testbed({ kernel, settings: { repairContainers: 'never' } });
const run = promisify(execFile);
const upstreams: Socket[] = [];
const children: ChildProcess[] = [];
const asked: string[] = [];
const hostResolvers = readFileSync(testbed.settings.hostResolvConf, 'utf8');

/** A name server of this host that answers every AAAA query, and no other one, with an address. */
async function serveUpstream(type: 'udp4' | 'udp6', address: string, data: string): Promise<void> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' }, (query, { port, address: client }) => {
    const { id = 0, questions = [] } = decode(query);
    const { name = '', type: kind } = questions[0] ?? {};
    asked.push(`${kind} ${name}`);
    const answers: Answer[] = kind === 'AAAA' ? [{ type: 'AAAA', name, ttl: 60, data }] : [];
    socket.send(encode({ type: 'response', id, questions, answers }), port, client);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  upstreams.push(socket);
}

before(async () => {
  if (host.skip) return;
  sh('ip link set lo up');
  await serveUpstream('udp4', '127.0.0.53', '2001:db8::53');
  await serveUpstream('udp6', '::1', '2001:db8::1');
  await testbed.networks.start([]);
  const dual = { v4: [{ subnet: '10.5.0.0/24' }], v6: [{ subnet: 'fd00:5::/64' }] };
  await testbed.networks.create({ name: 'dual', driver: 'bridge', ipam: dual });
  await testbed.networks.create({ name: 'six', driver: 'bridge', ipam: { v6: [{ subnet: 'fd00:6::/64' }] } });
  await testbed.networks.create({ name: 'four', driver: 'bridge', ipam: { v4: [{ subnet: '10.4.0.0/24' }] } });
});
after(async () => {
  await testbed.close();
  for (const socket of upstreams) socket.close();
  kernel.close();
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  for (const id of [...testbed.containers.keys()]) await testbed.remove(id);
  writeFileSync(testbed.settings.hostResolvConf, hostResolvers);
});

type Started = Awaited<ReturnType<Testbed['run']>>;

/** Runs a program of Node inside the namespace; `r` is a resolver of c-ares that asks 127.0.0.11. */
async function ask(of: Started, expression: string): Promise<string> {
  const program = `const { Resolver } = require('node:dns').promises; const r = new Resolver({ timeout: 60_000, tries: 1 });
    r.setServers(['127.0.0.11']); (async () => ${expression})().then((x) => console.log(JSON.stringify(x)), (e) => console.log(e.code));`;
  const { stdout } = await run('nsenter', [`--net=${of.netnsPath}`, process.execPath, '-e', program]);
  return stdout.trim();
}

/** Asks the C library with the container's own files; all addresses of the family. */
async function getent(of: Started, database: 'ahostsv4' | 'ahostsv6', name: string): Promise<string[]> {
  const { hosts, resolvConf } = of.files;
  const line = `mount --bind ${hosts} /etc/hosts; mount --bind ${resolvConf} /etc/resolv.conf; exec getent ${database} ${name}`;
  const args = [`--net=${of.netnsPath}`, 'unshare', '--mount', 'sh', '-c', line];
  const { stdout } = await run('nsenter', args).catch((error: { stdout?: string }) => error);
  const found = (stdout ?? '').split('\n').map((text) => text.split(' ')[0] ?? '');
  return [...new Set(found)].filter((address) => address !== '' && !address.startsWith('::ffff:')).sort();
}

const v6 = (of: Started, name: string): string =>
  of.endpoints.find(({ networkName }) => networkName === name)?.addresses.v6?.address ?? '';
const hostsOf = (of: Started): string[] =>
  readFileSync(of.files.hosts, 'utf8').replaceAll(of.containerId.slice(0, 12), 'ID').trim().split('\n');
const localLines = (families: 4 | 6): string[] => [
  '127.0.0.1\tlocalhost',
  ...(families === 4
    ? []
    : [
        '::1\tlocalhost ip6-localhost ip6-loopback',
        'fe00::0\tip6-localnet',
        'ff00::0\tip6-mcastprefix',
        'ff02::1\tip6-allnodes',
        'ff02::2\tip6-allrouters',
      ]),
];

test('names, aliases, links, short ids and NAME.NETWORK resolve to addresses of both families', host, async () => {
  const web = await testbed.run('web', { ...on('dual'), endpoints: [{ network: 'dual', aliases: ['www'] }] });
  const app = await testbed.run('app', { ...on('dual'), links: ['web:site'] });
  const short = web.containerId.slice(0, 12);
  for (const name of ['web', 'WWW', 'site', short, 'web.dual']) {
    assert.deepEqual(await getent(app, 'ahostsv6', name), ['fd00:5::2'], name);
    assert.deepEqual(await getent(app, 'ahostsv4', name), ['10.5.0.2'], name);
  }
  assert.equal(await ask(app, "r.reverse('fd00:5::2')"), '["web.dual"]');
  assert.equal(await ask(app, "r.reverse('10.5.0.2')"), '["web.dual"]');
});

test('a name without addresses of a family has no records of it, and is not forwarded', host, async () => {
  const app = await testbed.run('app', on('four', 'six'));
  await testbed.run('old', on('four'));
  await testbed.run('new', on('six'));
  asked.length = 0;
  assert.equal(await ask(app, "r.resolve6('old')"), 'ENODATA');
  assert.equal(await ask(app, "r.resolve4('new')"), 'ENODATA');
  assert.deepEqual(asked, []);
  assert.equal(await ask(app, "r.resolve6('new')"), '["fd00:6::3"]');
});

test('containers with IPv6 only resolve names and addresses of theirs, and what the host knows', host, async () => {
  const alias = { ...on('six'), endpoints: [{ network: 'six', aliases: ['worker'] }] };
  const workers = [await testbed.run('one', alias), await testbed.run('two', alias)];
  const app = await testbed.run('app', on('six'));
  const all = workers.map((one) => v6(one, 'six')).sort();
  assert.deepEqual(await getent(app, 'ahostsv6', 'worker'), all);
  assert.equal(await ask(app, `r.reverse('${all[0]}')`), '["one.six"]');
  assert.equal(await ask(app, "r.resolve6('outside.example')"), '["2001:db8::53"]', "asked from the host's namespace");
  assert.equal(await ask(app, "r.reverse('2001:db8::9')"), 'ENOTFOUND', 'forwarded: no records');
  assert.equal(asked.at(-1), `PTR 9.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`);
});

test("servers of the host's resolv.conf may have IPv6 addresses, also for containers without IPv6", host, async () => {
  const { hostResolvConf } = testbed.settings;
  writeFileSync(hostResolvConf, 'nameserver ::1\n');
  const four = await testbed.run('old', on('four'));
  assert.equal(await ask(four, "r.resolve6('outside.example')"), '["2001:db8::1"]');
  const text = readFileSync(four.files.resolvConf, 'utf8');
  assert.match(text, /^nameserver 127\.0\.0\.11$/m);
  assert.match(text, /^# ExtServers: \[host\(::1\)\]$/m);
  sh('ip link add up0 type bridge; ip link set up0 up; ip address add fe80::53/64 dev up0 nodad');
  await serveUpstream('udp6', 'fe80::53%up0', '2001:db8::2');
  writeFileSync(hostResolvConf, 'nameserver fe80::53%up0\n');
  assert.equal(await ask(four, "r.resolve6('outside.example')"), '["2001:db8::2"]', 'a link-local one');
});

test('an IPv6 server of --dns is asked from the container, over UDP and TCP', host, async () => {
  const server = await testbed.run('server', on('six'));
  const address = v6(server, 'six');
  const program = `const { decode, encode } = require('${new URL(import.meta.resolve('dns-packet')).pathname}');
    const s = require('node:dgram').createSocket({ type: 'udp6' });
    const reply = (query, flags, count) => { const { id, questions } = decode(query); const { name } = questions[0];
      const answers = Array.from({ length: count }, (_, at) => ({ type: 'AAAA', name, data: '2001:db8::' + (at + 7) }));
      return encode({ type: 'response', id, flags, questions, answers }); };
    s.on('message', (query, { port, address }) => s.send(reply(query, query.includes('big') ? 0x200 : 0, 1), port, address));
    const frame = (m) => Buffer.concat([Buffer.from([m.length >> 8, m.length & 255]), m]);
    require('node:net').createServer((c) => c.on('data', (data) => c.write(frame(reply(data.subarray(2), 0, 60))))
      .on('error', () => {})).listen(53, '${address}', () => s.bind(53, '${address}', () => console.log('ready')));`;
  const child = spawn('nsenter', [`--net=${server.netnsPath}`, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  const app = await testbed.run('app', { ...on('six'), dns: [address] });
  assert.equal(await ask(app, "r.resolve6('small.example')"), '["2001:db8::7"]');
  assert.equal(await ask(app, "(await r.resolve6('big.example')).length"), '60');
  const without = await testbed.run('without', { ...on('four'), dns: [address, '10.4.0.1'] });
  assert.equal(await ask(without, "r.resolve6('small.example')"), 'ESERVFAIL', 'no server is reachable');
});

test('hosts files have lines of both families, which follow connects and disconnects', host, async () => {
  const extraHosts = ['six:[fd00::7]', 'legacy:10.9.9.9', 'seven:fd00::8'];
  const extra = ['fd00::7\tsix', '10.9.9.9\tlegacy', 'fd00::8\tseven'];
  const addresses = { v4: '10.5.0.20', v6: 'fd00:5::20' };
  const app = await testbed.run('app', { ...on('dual'), endpoints: [{ network: 'dual', addresses }], extraHosts });
  const first = [...localLines(6), ...extra, '10.5.0.20\tID', 'fd00:5::20\tID'];
  assert.deepEqual(hostsOf(app), first);
  await testbed.networks.connect('six', app.containerId, { network: 'six', addresses: { v6: 'fd00:6::99' } });
  await testbed.networks.connect('four', app.containerId, { network: 'four', addresses: { v4: '10.4.0.99' } });
  assert.deepEqual(hostsOf(app), [...first, 'fd00:6::99\tID', '10.4.0.99\tID']);
  for (const name of ['dual', 'four']) await testbed.networks.disconnect(name, app.containerId, false);
  assert.deepEqual(hostsOf(app), [...localLines(6), ...extra, 'fd00:6::99\tID']);
});

test('a container without IPv6 has no line and no address of it', host, async () => {
  const sysctls = { 'net.ipv6.conf.all.disable_ipv6': '1' };
  const endpoints = [{ network: 'dual', addresses: { v4: '10.5.0.30' } }];
  const extraHosts = ['six:[fd00::7]', 'legacy:10.9.9.9'];
  const app = await testbed.run('app', { ...on('dual'), endpoints, sysctls, extraHosts });
  assert.deepEqual(hostsOf(app), [...localLines(4), '10.9.9.9\tlegacy', '10.5.0.30\tID']);
  await testbed.networks.connect('six', app.containerId, { network: 'six' });
  assert.deepEqual(hostsOf(app), [...localLines(4), '10.9.9.9\tlegacy', '10.5.0.30\tID']);
  const other = await testbed.run('other', on('dual'));
  assert.equal(await ask(other, "r.resolve6('app')"), 'ENODATA');
  assert.deepEqual(await getent(other, 'ahostsv4', 'app'), ['10.5.0.30']);
});
