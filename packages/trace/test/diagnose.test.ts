import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostTopology, ListeningSocket } from '@netyard/topology';
import { containerChecks } from '../src/diagnose/container-checks.ts';
import { diagnose } from '../src/diagnose/diagnose.ts';
import { checkHost } from '../src/diagnose/host-checks.ts';
import { extend, hostLink, hostWith } from './host-fixture.ts';

const listener = (address: string, rest: Partial<ListeningSocket> = {}): ListeningSocket => ({
  ...{
    protocol: 'tcp',
    address,
    port: 80,
    v6only: false,
    waiting: 0,
    backlog: 128,
    process: { pid: 7, name: 'nginx' },
  },
  ...rest,
});
const ports = [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 } as const];
const web = { name: 'web', network: 'bridge', address: '172.17.0.3', rest: { ports }, sockets: [listener('0.0.0.0')] };
const app = { name: 'app', network: 'bridge', address: '172.17.0.2' };

async function problems(topology: HostTopology, target = 'web'): Promise<string[]> {
  const findings = await diagnose(topology, target);
  return findings.filter(({ grade, check }) => grade !== 'fine' && check !== 'conntrack').map(({ text }) => text);
}

test('a healthy container has no problems, and says what was checked', async () => {
  const topology = hostWith([app, web]);
  assert.deepEqual(await problems(topology), []);
  const checks = (await diagnose(topology, 'web')).map(({ check }) => check);
  for (const check of ['state', 'link', 'address', 'route', 'listener', 'forwarding'])
    assert.ok(checks.includes(check));
});

test('interfaces: down, another MTU, not in the bridge', async () => {
  const change = async (edit: (topology: HostTopology) => void): Promise<string[]> => {
    const topology = hostWith([app, web]);
    edit(topology);
    return await problems(topology);
  };
  assert.deepEqual(await change((topology) => void Object.assign(hostLink(topology, 'veth1'), { up: false })), [
    'veth1 of web is down on the host',
  ]);
  assert.deepEqual(await change((topology) => void Object.assign(hostLink(topology, 'veth1'), { mtu: 1400 })), [
    'veth1 has MTU 1400, eth0 of web 1500: longer packets vanish without ICMP',
  ]);
  assert.deepEqual(await change((topology) => void Object.assign(hostLink(topology, 'veth1'), { masterIndex: 11 })), [
    'veth1 is not in docker0',
  ]);
  assert.deepEqual(await change((topology) => void Object.assign(hostLink(topology, 'docker0'), { up: false })), [
    'docker0 of network bridge is down',
  ]);
});

test('a bridge that a veth pair joins to the network’s is as good; what severs it is found once for all its containers', async () => {
  const change = async (edit: (topology: HostTopology) => void, ...extended: string[]): Promise<string[]> => {
    const topology = extend(hostWith([app, web]), ...(extended.length > 0 ? extended : ['web']));
    edit(topology);
    const findings = await diagnose(topology, 'bridge');
    return findings.filter(({ check }) => check === 'bridge').map(({ text, fix }) => `${text}: ${fix}`);
  };
  const down = (name: string) => (topology: HostTopology) =>
    void Object.assign(hostLink(topology, name), { up: false });
  const loose = (name: string) => (topology: HostTopology) => void delete hostLink(topology, name).masterIndex;
  assert.deepEqual(await change(() => undefined), []);
  assert.deepEqual(await change(down('trunk')), ['trunk of network bridge is down: ip link set trunk up']);
  assert.deepEqual(await change(down('seg'), 'app', 'web'), ['seg of network bridge is down: ip link set seg up']);
  assert.deepEqual(await change(loose('trunk')), ['trunk is not in docker0: ip link set trunk master docker0']);
  assert.deepEqual(await change(loose('uplink')), ['uplink is not in seg: ip link set uplink master seg']);
  assert.deepEqual(await change(loose('veth1')), ['veth1 is not in docker0: ip link set veth1 master docker0']);
  const ownPair = (topology: HostTopology): void => {
    delete hostLink(topology, 'uplink').masterIndex;
    hostLink(topology, 'uplink').addresses = ['172.17.0.9/16'];
  };
  assert.deepEqual(await change(ownPair), ['veth1 is not in docker0: ip link set veth1 master docker0']);
});

test('listeners of published ports: none, on loopback, with a full queue', async () => {
  const withSockets = async (sockets: ListeningSocket[]): Promise<string[]> =>
    await problems(hostWith([app, { ...web, sockets }]));
  assert.deepEqual(await withSockets([]), ['web publishes 80/tcp, and nothing listens on it']);
  assert.deepEqual(await withSockets([listener('127.0.0.1')]), ['nginx in web listens on 127.0.0.1:80 only']);
  assert.deepEqual(await withSockets([listener('0.0.0.0', { waiting: 129 })]), [
    'the listener on 80/tcp of web has 129 of 128 connections waiting',
  ]);
});

test('addresses and routes: lost, doubled, no default route', async () => {
  const lost = hostWith([app, web]);
  for (const link of lost.namespaces[2]?.links ?? []) if (link.name === 'eth0') link.addresses = [];
  assert.deepEqual(await problems(lost), ['web has lost its address 172.17.0.3']);
  assert.deepEqual(await problems(hostWith([{ ...app, address: '172.17.0.3' }, web])), [
    '172.17.0.3 of web is also an address of app',
  ]);
  const cut = hostWith([app, web]);
  const namespace = cut.namespaces[2];
  assert.ok(namespace);
  namespace.routes = namespace.routes.filter(({ to }) => to !== 'default');
  assert.deepEqual(await problems(cut), ['web has no default route']);
});

test('names of the hosts file that belong to another address now', () => {
  const topology = hostWith([app, web]);
  const [container, namespace] = [topology.containers[0], topology.namespaces[1]];
  assert.ok(container && namespace);
  // A container writes the file itself: many lines make one finding per name.
  const hosts = Array.from({ length: 1000 }, (_, index) => ({ address: `172.17.${index % 200}.9`, names: ['web'] }));
  const diagnosed = { topology, container, namespace, host: topology.namespaces[0], hosts };
  const texts = containerChecks.flatMap((check) => check(diagnosed)).filter(({ check }) => check === 'name');
  assert.deepEqual(
    texts.map(({ text }) => text),
    ['the hosts file of app has 172.17.0.9 for web, which is 172.17.0.3'],
  );
});

test('the host: forwarding, iptables-legacy, connection tracking', () => {
  const topology = hostWith([app], { forwarding: { v4: false, v6: false }, legacyTables: ['filter'] });
  const grades = checkHost(topology, { entries: 262_144, limit: 262_144 }).map(({ check, grade }) => [check, grade]);
  assert.deepEqual(grades, [
    ['forwarding', 'broken'],
    ['iptables-legacy', 'suspicious'],
    ['conntrack', 'broken'],
  ]);
});

test('strict reverse path filters of uplinks are suspicious, those of bridges without an address are not', () => {
  const topology = hostWith([app]);
  const links = topology.namespaces[0]?.links ?? [];
  const add = (index: number, name: string, rest: Partial<(typeof links)[number]>): void => {
    links.push({ ...{ index, name, mtu: 1500, up: true, running: true, addresses: [], rpFilter: 1 }, ...rest });
  };
  const texts = (): string[] =>
    checkHost(topology, { entries: 1, limit: 1000 }).flatMap(({ check, text }) =>
      check === 'rp-filter' ? [text] : [],
    );
  for (const index of [1, 2]) add(90 + index, `nyb000000000000${index}`, { kind: 'bridge' });
  assert.deepEqual(texts(), []);
  add(95, 'ens5', { addresses: ['192.0.2.1/24'] });
  add(96, 'br-lan', { kind: 'bridge', addresses: ['10.1.0.1/24'] });
  assert.match(texts().join(), /^rp_filter is strict on ens5, br-lan:/);
});

test('a network stands for its members; unknown names are refused', async () => {
  const findings = await diagnose(hostWith([app, web]), 'back');
  assert.deepEqual(
    findings.filter(({ check }) => check === 'state'),
    [],
  );
  await assert.rejects(diagnose(hostWith([app]), 'nowhere'), /no such container or network on this host: nowhere/);
});

test('fixes inside a container enter its namespace, and quote the names that it chose', async () => {
  const topology = hostWith([app, web]);
  const inner = topology.namespaces.find(({ name }) => name === 'web');
  const link = inner?.links.find(({ name }) => name === 'eth0');
  Object.assign(link ?? {}, { name: '$(halt)', up: false });
  const fixes = (await diagnose(topology, 'web')).flatMap(({ fix }) => fix ?? []);
  assert.ok(fixes.includes(`nsenter --net=${inner?.path} ip link set '$(halt)' up`), fixes.join('\n'));
});
