/** Names on user-defined networks, by real queries from containers' namespaces over two networks and the default bridge. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { promisify } from 'node:util';
import { openKernel } from '@netyard/kernel';
import { eventually, inFreshHost, sh } from '@netyard/testkit';
import { type Answer, decode, encode } from 'dns-packet';
import type { NetworkRecord } from '../src/index.ts';
import { nameServerSockets, openDescriptors, stillOpen } from './name-server-sockets.ts';
import { on, Testbed } from './testbed.ts';

const host = inFreshHost(import.meta.url);
const kernel = openKernel();
const testbed = new Testbed({ kernel });
const run = promisify(execFile);
const upstreams: Socket[] = [];
const children: ChildProcess[] = [];
const hostResolvers = readFileSync(testbed.settings.hostResolvConf, 'utf8');

/** A name server of this host that answers every A query with one address, and NXDOMAIN below `nowhere`. */
async function serveUpstream(address: string, data: string, behaviour: 'answers' | 'fails' | 'silent' = 'answers') {
  const asked: string[] = [];
  const socket = createSocket('udp4', (query, { port, address: client }) => {
    const { id = 0, questions = [] } = decode(query);
    const name = questions[0]?.name ?? '';
    asked.push(`${questions[0]?.type} ${name}`);
    if (behaviour === 'silent') return;
    const flags = behaviour === 'fails' ? 2 : name.endsWith('nowhere') ? 3 : 0;
    const answers: Answer[] = flags === 0 && questions[0]?.type === 'A' ? [{ type: 'A', name, ttl: 60, data }] : [];
    socket.send(encode({ type: 'response', id, flags, questions, answers }), port, client);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  upstreams.push(socket);
  return asked;
}

const network = (name: string, subnet: number, internal = false): Partial<NetworkRecord> => ({
  ...{ id: name.repeat(64).slice(0, 64), name, internal, predefined: false },
  ipam: { driver: 'default', v4: [{ subnet: `10.5.${subnet}.0/24`, gateway: `10.5.${subnet}.1` }] },
  options: { 'com.docker.network.bridge.name': `ny-${name}` },
});

let asked: string[];

before(async () => {
  if (host.skip) return;
  sh('ip link set lo up');
  asked = await serveUpstream('127.0.0.53', '198.51.100.1');
  await testbed.networks.start([]);
  const bridge = testbed.networks.get('bridge');
  for (const record of [network('front', 1), network('back', 2), network('inside', 3, true)])
    testbed.store.putNetwork({ ...bridge, ...record });
  await testbed.networks.close();
  await testbed.open().start([]);
});
after(async () => {
  await testbed.close();
  for (const socket of upstreams) socket.close();
  kernel.close();
});

type Started = Awaited<ReturnType<Testbed['run']>>;

/** Runs a program of Node inside the namespace; `r` is a resolver of c-ares that asks 127.0.0.11. */
async function ask(of: { netnsPath?: string }, expression: string): Promise<string> {
  const program = `const { Resolver } = require('node:dns').promises; const r = new Resolver({ timeout: 60_000, tries: 1 });
    r.setServers(['127.0.0.11']); (async () => ${expression})().then((x) => console.log(JSON.stringify(x)), (e) => console.log(e.code));`;
  const { stdout } = await run('nsenter', [`--net=${of.netnsPath}`, process.execPath, '-e', program]);
  return stdout.trim();
}

/** Asks the C library's resolver with the container's own files; '' if the name does not exist. */
async function getent(of: Started, name: string): Promise<string> {
  const { hosts, resolvConf } = of.files;
  const line = `mount --bind ${hosts} /etc/hosts; mount --bind ${resolvConf} /etc/resolv.conf; exec getent ahostsv4 ${name}`;
  const args = [`--net=${of.netnsPath}`, 'unshare', '--mount', 'sh', '-c', line];
  const { stdout } = await run('nsenter', args).catch((error: { stdout?: string }) => error);
  return (stdout ?? '').split(' ')[0] ?? '';
}

const addressOf = (of: Started, name = 'front'): string =>
  of.endpoints.find(({ networkName }) => networkName === name)?.addresses.v4?.address ?? '';

/** Also after a failure, so that it does not affect the next test. */
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  const ids = [...testbed.containers.keys()].reverse(); // those that share a namespace first
  for (const id of ids) await testbed.remove(id);
  writeFileSync(testbed.settings.hostResolvConf, hostResolvers);
});

test('names, aliases, short ids and NAME.NETWORK resolve on the networks of the asker only', host, async () => {
  const web = await testbed.run('web', {
    ...on('front'),
    endpoints: [{ network: 'front', aliases: ['www'] }],
    hostname: 'machine',
  });
  const db = await testbed.run('db', on('back'));
  const app = await testbed.run('app', on('front', 'back'));
  const plain = await testbed.run('plain');
  for (const name of ['web', 'WEB', 'www', 'machine', web.containerId.slice(0, 12), 'web.front', 'www.front'])
    assert.equal(await getent(app, name), addressOf(web), name);
  assert.equal(await getent(app, 'db'), addressOf(db, 'back'));
  assert.equal(await ask(web, "r.resolve4('db')"), '["198.51.100.1"]', 'unknown on its network: forwarded');
  assert.equal(await ask(app, `r.reverse('${addressOf(web)}')`), '["web.front"]');
  assert.equal(await ask(app, "(await r.resolve4('web', { ttl: true }))[0].ttl <= 5"), 'true');
  assert.equal(await ask(web, "r.resolve4('app')"), `["${addressOf(app)}"]`);
  assert.equal(await ask(plain, "r.resolve4('web')"), 'ECONNREFUSED', 'no name server on the default bridge');
  assert.doesNotMatch(readFileSync(plain.files.resolvConf, 'utf8'), /127\.0\.0\.11/);
});

test('other types of a known name have no records and are not forwarded', host, async () => {
  const web = await testbed.run('web', on('front'));
  asked.length = 0;
  for (const type of ['AAAA', 'MX', 'TXT', 'SRV'])
    assert.equal(await ask(web, `r.resolve('web', '${type}')`), 'ENODATA', type);
  assert.deepEqual(asked, []);
  assert.equal(await ask(web, "r.resolve4('x.nowhere')"), 'ENOTFOUND');
});

test('several containers of one alias are all returned; a stopped or renamed one is not', host, async () => {
  const worker = { ...on('back'), endpoints: [{ network: 'back', aliases: ['worker'] }] };
  const workers = [await testbed.run('w1', worker), await testbed.run('w2', worker), await testbed.run('w3', worker)];
  const app = await testbed.run('app', on('back'));
  const all = workers.map((one) => addressOf(one, 'back')).sort();
  assert.deepEqual(JSON.parse(await ask(app, "(await r.resolve4('worker')).sort()")), all);
  await testbed.stop(workers[0]?.containerId ?? '');
  assert.deepEqual(JSON.parse(await ask(app, "(await r.resolve4('worker')).sort()")), all.slice(1));
  await testbed.rename(workers[1]?.containerId ?? '', 'boss');
  assert.equal(await ask(app, "r.resolve4('boss')"), JSON.stringify([all[1]]));
  assert.equal(await ask(app, "r.resolve4('w2')"), '["198.51.100.1"]', 'forwarded');
});

test('a service that two projects have on a shared network is that of the own project', host, async () => {
  const api = { ...on('front'), endpoints: [{ network: 'front', aliases: ['api'] }] };
  const [first, second] = [
    await testbed.run('first-api', api, { project: 'first' }),
    await testbed.run('second-api', api, { project: 'second' }),
  ];
  const web = await testbed.run('second-web', on('front'), { project: 'second' });
  assert.equal(await ask(web, "r.resolve4('api')"), `["${addressOf(second)}"]`);
  const other = await testbed.run('other', on('front'));
  assert.deepEqual(
    JSON.parse(await ask(other, "(await r.resolve4('api')).sort()")),
    [addressOf(first), addressOf(second)].sort(),
  );
});

test('a link on a user-defined network is an alias for its container alone, and needs no target', host, async () => {
  const db = await testbed.run('db', on('front'));
  const app = await testbed.run('app', { ...on('front'), links: ['db:store', 'later:queue'] });
  const other = await testbed.run('other', on('front'));
  assert.equal(await getent(app, 'store'), addressOf(db));
  assert.equal(await ask(other, "r.resolve4('store')"), '["198.51.100.1"]', 'forwarded');
  assert.equal(await ask(app, "r.resolve4('queue')"), '["198.51.100.1"]', 'its target does not run yet');
  const later = await testbed.run('later', on('front'));
  assert.equal(await ask(app, "r.resolve4('queue')"), `["${addressOf(later)}"]`);
  const hosts = readFileSync(app.files.hosts, 'utf8');
  assert.ok(!hosts.includes('store'), hosts);
  assert.match(hosts, new RegExp(`\\n${addressOf(app)}\\t${app.containerId.slice(0, 12)}\\n$`));
});

test(
  "resolv.conf is Docker's; the host's servers are followed when its file changes or is replaced",
  host,
  async () => {
    const { hostResolvConf } = testbed.settings;
    const web = await testbed.run('web', on('front'));
    assert.equal(
      readFileSync(web.files.resolvConf, 'utf8').split('\n\n')[1],
      'nameserver 127.0.0.11\nsearch example\noptions ndots:0',
    );
    assert.equal(await ask(web, "r.resolve4('outside.example')"), '["198.51.100.1"]', 'through 127.0.0.53 of the host');
    await serveUpstream('127.0.0.54', '198.51.100.2');
    writeFileSync(hostResolvConf, 'nameserver 127.0.0.54\n');
    assert.equal(await ask(web, "r.resolve4('outside.example')"), '["198.51.100.2"]');
    writeFileSync(`${hostResolvConf}.new`, hostResolvers);
    renameSync(`${hostResolvConf}.new`, hostResolvConf);
    assert.equal(await ask(web, "r.resolve4('outside.example')"), '["198.51.100.1"]');
  },
);

test('a server that fails or does not answer is followed by the next, and then asked last', host, async () => {
  const { hostResolvConf } = testbed.settings;
  const silent = await serveUpstream('127.0.0.61', '', 'silent');
  await serveUpstream('127.0.0.62', '', 'fails');
  writeFileSync(hostResolvConf, 'nameserver 127.0.0.61\nnameserver 127.0.0.62\nnameserver 127.0.0.53\n');
  const web = await testbed.run('web', on('front'));
  for (const name of ['one', 'two', 'three'])
    assert.equal(await ask(web, `r.resolve4('${name}.example')`), '["198.51.100.1"]');
  assert.deepEqual(silent, ['A one.example']);
  writeFileSync(hostResolvConf, 'nameserver 127.0.0.62\n');
  assert.equal(await ask(web, "r.resolve4('x.example')"), 'ESERVFAIL');
  assert.equal(await ask(web, "r.resolve4('gone.front')"), 'ENOTFOUND', 'a name of its own network');
});

/** A name server inside a namespace: a process of its own. */
async function serveInside(of: Started, address: string, data: string): Promise<void> {
  const program = `const s = require('node:dgram').createSocket({ type: 'udp4', reuseAddr: true });
    const { decode, encode } = require('${require_('dns-packet')}');
    s.on('message', (query, { port, address }) => { const { id, questions } = decode(query);
      const flags = questions[0].name === 'big.example' ? 0x200 : 0;
      s.send(encode({ type: 'response', id, flags, questions, answers: [{ type: 'A', name: questions[0].name, data: '${data}' }] }), port, address); });
    const frame = (m) => Buffer.concat([Buffer.from([m.length >> 8, m.length & 255]), m]);
    require('node:net').createServer((c) => c.on('data', (data) => { const { id, questions } = decode(data.subarray(2));
      const answers = Array.from({ length: 100 }, (_, at) => ({ type: 'A', name: questions[0].name, data: '198.51.100.' + at }));
      c.write(frame(encode({ type: 'response', id, questions, answers }))); })).on('error', () => {}).listen(53, '${address}', () =>
        s.bind(53, '${address}', () => console.log('ready')));`;
  const child = spawn('nsenter', [`--net=${of.netnsPath}`, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
}
const require_ = (name: string): string => new URL(import.meta.resolve(name)).pathname;

test(
  'internal networks have no outside names; servers of --dns are asked from inside the container',
  host,
  async () => {
    const alone = await testbed.run('alone', on('inside'));
    asked.length = 0;
    assert.equal(await ask(alone, "r.resolve4('outside.example')"), 'ENOTFOUND');
    assert.deepEqual(asked, []);
    assert.equal(await ask(alone, "r.resolve4('alone')"), `["${addressOf(alone, 'inside')}"]`);
    const routeless = await testbed.run('routeless', { ...on('inside'), dns: ['203.0.113.1', '2001:db8::1'] });
    assert.equal(await ask(routeless, "r.resolve4('outside.example')"), 'ESERVFAIL');
    const both = await testbed.run('both', on('inside', 'front'));
    assert.equal(await ask(both, "r.resolve4('outside.example')"), '["198.51.100.1"]');
    const own = await testbed.run('own', { ...on('inside'), dns: ['127.0.0.1'] });
    await serveInside(own, '127.0.0.1', '198.51.100.77');
    assert.equal(await ask(own, "r.resolve4('outside.example')"), '["198.51.100.77"]');
    assert.match(
      readFileSync(own.files.resolvConf, 'utf8'),
      /# ExtServers: \[127\.0\.0\.1\]\n# Overrides: \[nameservers\]/,
    );
  },
);

test('a container that serves port 53 on all addresses keeps it, and resolves names', host, async () => {
  const web = await testbed.run('web', on('front'));
  const dns = await testbed.run('dns', { ...on('front'), exposed: [{ protocol: 'udp', port: 53 }] });
  await serveInside(dns, '0.0.0.0', '198.51.100.78');
  assert.equal(await ask(dns, "r.resolve4('web')"), `["${addressOf(web)}"]`);
  assert.match(sh(`nsenter --net=${dns.netnsPath} ss -Hlnt`), /0\.0\.0\.0:53/, 'also over TCP');
});

test('a name server whose address is taken is reported, and opened when the address is free', host, async () => {
  const web = await testbed.run('web', on('front'));
  const ids = [...testbed.containers.keys()];
  const names = async () => (await testbed.networks.inspect()).filter(({ id }) => id === 'names');
  for (const [protocol, expected] of [
    ['udp', /^container web: its name server is not open: .*udp 127\.0\.0\.11 port 53/],
    ['tcp', /^container web: its name server answers over UDP only: .*tcp 127\.0\.0\.11 port 53/],
  ] as const) {
    await testbed.networks.close();
    const holder = await hold(web, protocol);
    await testbed.open().start(ids);
    const [finding, ...others] = await names();
    assert.match(finding?.text ?? '', expected);
    assert.equal(others.length, 0);
    assert.match(
      sh(finding?.fix?.replace(/^.*: (?=nsenter)/, '') ?? ''),
      new RegExp(`${protocol} .*pid=${holder.pid}`),
    );
    if (protocol === 'tcp') assert.equal(await ask(web, "r.resolve4('web')"), `["${addressOf(web)}"]`);
    holder.kill();
    await eventually('it is opened', () => nameServerSockets(web).length === 2);
    assert.deepEqual(await names(), []);
    assert.equal(await ask(web, "r.resolve4('web')"), `["${addressOf(web)}"]`);
  }
});

/** A process inside a namespace that holds the name server's address, without options that let others share it. */
async function hold(of: Started, protocol: 'udp' | 'tcp'): Promise<ChildProcess> {
  const program =
    protocol === 'tcp'
      ? "require('node:net').createServer().listen(53, '127.0.0.11', () => console.log('ready'))"
      : "require('node:dgram').createSocket('udp4').bind(53, '127.0.0.11', () => console.log('ready'))";
  const child = spawn('nsenter', [`--net=${of.netnsPath}`, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

test('a running container that joins its first user-defined network resolves its names', host, async () => {
  const web = await testbed.run('web', on('front'));
  const [plain, edited] = [await testbed.run('plain'), await testbed.run('edited')];
  appendFileSync(edited.files.resolvConf, '# mine\n');
  const inode = sh(`stat -c %i ${plain.files.resolvConf}`);
  for (const { containerId } of [plain, edited])
    await testbed.networks.connect('front', containerId, { network: 'front' });
  assert.match(readFileSync(plain.files.resolvConf, 'utf8'), /^nameserver 127\.0\.0\.11$/m);
  assert.equal(sh(`stat -c %i ${plain.files.resolvConf}`), inode);
  assert.doesNotMatch(readFileSync(edited.files.resolvConf, 'utf8'), /127\.0\.0\.11/, 'changed by the container');
  assert.equal(await getent(plain, 'web'), addressOf(web));
  assert.equal(await ask(edited, "r.resolve4('web')"), `["${addressOf(web)}"]`);
  await testbed.networks.disconnect('front', plain.containerId, false);
  assert.equal(await ask(plain, "r.resolve4('web')"), '["198.51.100.1"]', 'it still forwards');
});

test('a daemon that was killed before it wrote resolv.conf writes it when it starts again', host, async () => {
  const web = await testbed.run('web', on('front'));
  const plain = await testbed.run('plain');
  const { containerId, files, resolvConfDigest = '' } = plain;
  const former = readFileSync(files.resolvConf, 'utf8');
  await testbed.networks.connect('front', containerId, { network: 'front' });
  // As after a kill between the store's transaction and the file.
  writeFileSync(files.resolvConf, former);
  const [config, state] = [testbed.networks.config(containerId), testbed.networks.state(containerId)];
  assert.ok(config && state?.nameServer);
  const { nameServer: _, ...unfinished } = state;
  testbed.store.putSandbox(config, { ...unfinished, resolvConfDigest });
  await testbed.networks.close();
  await testbed.open().start([web.containerId, containerId]);
  assert.match(readFileSync(files.resolvConf, 'utf8'), /^nameserver 127\.0\.0\.11$/m);
  assert.equal(await getent(plain, 'web'), addressOf(web));
});

test('a restarted daemon serves running containers again; nothing is left open when they stop', host, async () => {
  const web = await testbed.run('web', on('front'));
  const first = nameServerSockets(web);
  assert.equal(first.length, 2);
  const sharer = await testbed.run('sharer', { mode: { kind: 'container', ref: web.containerId } });
  assert.deepEqual(nameServerSockets(sharer), first, 'one pair for the namespace');
  const plain = await testbed.run('plain');
  assert.deepEqual(nameServerSockets(plain), [], 'none on the default bridge');
  assert.equal(await ask(sharer, "r.resolve4('web')"), `["${addressOf(web)}"]`);
  await testbed.networks.close();
  assert.deepEqual(stillOpen(first), []);
  assert.equal(await ask(web, "r.resolve4('web')"), 'ECONNREFUSED', 'no answer while the daemon is away');
  await testbed.open().start([web.containerId, sharer.containerId, plain.containerId]);
  assert.equal(await ask(web, "r.resolve4('web')"), `["${addressOf(web)}"]`);
  assert.match(sh(`nsenter --net=${web.netnsPath} ss -Hlntu`), /127\.0\.0\.11:53/);
  for (const { containerId } of [sharer, plain]) await testbed.remove(containerId);
  const { netnsPath } = web;
  const second = nameServerSockets(web);
  assert.equal(second.length, 2);
  await testbed.stop(web.containerId);
  assert.deepEqual(stillOpen(second), []);
  await eventually('the namespace is gone', () => !sh('ip netns list').includes(netnsPath?.split('/').at(-1) ?? '-'));
});

test('interfaces and addresses on two networks are the same after stop and start', host, async () => {
  const app = await testbed.run('app', on('front', 'back'));
  const shown = (): string =>
    sh(`nsenter --net=${app.netnsPath} ip -o -4 address`).replace(/^\d+: (\S+) +inet (\S+).*$/gm, '$1 $2');
  const before = shown();
  assert.match(before, /^lo 127\.0\.0\.1\/8\neth0 10\.5\.2\.\d+\/24\neth1 10\.5\.1\.\d+\/24\n$/);
  await testbed.stop(app.containerId);
  await testbed.run('other', on('front', 'back'));
  await testbed.start(app.containerId);
  assert.equal(shown(), before);
});

test('a flood from one container does not keep another from its names and from the outside', host, async () => {
  const { hostResolvConf } = testbed.settings;
  const [one, other] = [await testbed.run('one', on('front')), await testbed.run('other', on('front'))];
  const descriptors = openDescriptors().length;
  writeFileSync(hostResolvConf, 'nameserver 127.0.0.61\nnameserver 127.0.0.53\n'); // the first one never answers
  const flood = `const d = require('node:dgram'); const s = d.createSocket('udp4');
    const q = Buffer.from('123401000001000000000000076578616d706c65036f72670000010001', 'hex');
    for (let i = 0; i < 5000; i += 1) { const m = Buffer.from(q); m.writeUInt16BE(i, 0); s.send(m, 53, '127.0.0.11'); }
    setTimeout(() => process.exit(0), 1500);`;
  const flooding = run('nsenter', [`--net=${one.netnsPath}`, process.execPath, '-e', flood]);
  assert.equal(await ask(other, "r.resolve4('one')"), `["${addressOf(one)}"]`);
  assert.equal(await ask(other, "r.resolve4('outside.example')"), '["198.51.100.1"]');
  await flooding;
  await eventually('the sockets of the flood are closed', () => openDescriptors().length < descriptors + 10);
});

test('a client that sends queries over TCP and never reads the answers is disconnected', host, async () => {
  const one = await testbed.run('one', on('front'));
  const query = encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'one' }] });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  // socat -u only writes; a small receive buffer keeps the kernel from taking megabytes of answers.
  const queries = `const query = Buffer.from(process.argv[1], 'hex');
    const send = () => process.stdout.write(query, () => setImmediate(send));
    process.stdout.on('error', () => process.exit(0));
    send();`;
  const client = `"$0" -e "$1" "$2" | socat -u STDIN TCP4:127.0.0.11:53,rcvbuf=4096 2> /dev/null || true`;
  const sent = Buffer.concat([length, query]).toString('hex');
  const command = ['sh', '-c', client, process.execPath, queries, sent];
  await run('nsenter', [`--net=${one.netnsPath}`, ...command], { timeout: 60_000 });
  assert.equal(await ask(one, "r.resolve4('one')"), `["${addressOf(one)}"]`);
});
