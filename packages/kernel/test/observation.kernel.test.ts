/** What is observed of a namespace is what ip(8) and ss(8) show of it, and where its veth peers are. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { before, test } from 'node:test';
import { listListeningSockets, observeNamespace, resolveNamespaceIds } from '@netyard/kernel';
import { eventually, inFreshHost, pings, serve, sh } from '@netyard/testkit';

const host = inFreshHost(import.meta.url);
const [a, b] = ['/run/netns/a', '/run/netns/b'];

before(() => {
  if (host.skip) return;
  sh(`ip netns add a; ip netns add b; ip netns add c
    ip link add br0 type bridge; ip address add 10.1.0.1/24 dev br0; ip link set br0 up alias example
    for ns in a b; do
      ip link add v-$ns type veth peer name eth0 netns $ns; ip link set v-$ns master br0 up
      ip -n $ns link set lo up; ip -n $ns link set eth0 up
    done
    ip -n a address add 10.1.0.2/24 dev eth0; ip -n a address add fd00::2/64 dev eth0 nodad
    ip -n b address add 10.1.0.3/24 dev eth0
    ip -n a route add default nexthop via 10.1.0.1 nexthop via 10.1.0.3
    ip -n a route add blackhole 10.9.0.0/16; ip -n a route add 10.8.0.0/16 via 10.1.0.1 table 1000
    ip -n a rule add from 10.1.0.2 table 1000 priority 100
    ip -n a neighbour add 10.1.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent
    ip -n a link add m0 link eth0 type macvlan mode bridge
    ip netns exec a sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=2`);
});

test('links, addresses, routes, rules, neighbours and settings', host, () => {
  assert.ok(pings(a, '10.1.0.1'));
  const found = observeNamespace(a);
  const eth0 = found.links.find(({ name }) => name === 'eth0');
  assert.deepEqual(eth0?.addresses.filter((prefix) => !prefix.startsWith('fe80')).sort(), [
    '10.1.0.2/24',
    'fd00::2/64',
  ]);
  assert.deepEqual([eth0?.kind, eth0?.up, eth0?.running, eth0?.rpFilter], ['veth', true, true, 2]);
  const m0 = found.links.find(({ name }) => name === 'm0');
  assert.deepEqual([m0?.macvlanMode, m0?.peerIndex, m0?.peerNsId], ['bridge', eth0?.index, undefined]);
  const routes = found.routes.filter(({ family, table }) => family === 4 && table !== 255);
  assert.deepEqual(routes.map(({ to, via, link, table, type }) => [to, via, link, table, type].join(' ')).sort(), [
    '10.1.0.0/24  eth0 254 unicast',
    '10.8.0.0/16 10.1.0.1 eth0 1000 unicast',
    '10.9.0.0/16   254 blackhole',
    'default 10.1.0.1 eth0 254 unicast',
    'default 10.1.0.3 eth0 254 unicast',
  ]);
  assert.ok(found.routes.some(({ to, table, type }) => to === '10.1.0.2/32' && table === 255 && type === 'local'));
  assert.deepEqual(
    found.rules.filter(({ priority }) => priority === 100),
    [{ family: 4, priority: 100, not: false, action: 'lookup', from: '10.1.0.2/32', table: 1000 }],
  );
  const states = new Map(found.neighbours.map(({ address, state }) => [address, state]));
  assert.equal(states.get('10.1.0.77'), 'permanent');
  assert.match(states.get('10.1.0.1') ?? '', /^(reachable|stale|delay|probe)$/);
  assert.deepEqual(found.forwarding, { v4: true, v6: false });
});

test('the own namespace, with bridge ports and owner; nothing of it changes', host, () => {
  const before = sh('ip link; ip -4 address; ip rule; ip -4 route show table all; ip netns list-id');
  const { links } = observeNamespace();
  const bridge = links.find(({ name }) => name === 'br0');
  assert.deepEqual([bridge?.kind, bridge?.owner, bridge?.addresses[0]], ['bridge', 'example', '10.1.0.1/24']);
  assert.equal(links.find(({ name }) => name === 'v-a')?.masterIndex, bridge?.index);
  assert.equal(sh('ip link; ip -4 address; ip rule; ip -4 route show table all; ip netns list-id'), before);
});

test('the ids of namespaces lead to those of the veth peers', host, () => {
  const id = (name: string): number => observeNamespace().links.find((link) => link.name === name)?.peerNsId ?? -1;
  const candidates = ['/run/netns/none', '/run/netns/c', '/proc/self/ns/net', b, a];
  const found = resolveNamespaceIds(undefined, new Set([id('v-a'), id('v-b')]), candidates);
  assert.deepEqual(
    found,
    new Map([
      [id('v-b'), b],
      [id('v-a'), a],
    ]),
  );
  const toHost = observeNamespace(a).links.find(({ name }) => name === 'eth0')?.peerNsId ?? -1;
  assert.deepEqual(resolveNamespaceIds(a, new Set([toHost]), candidates), new Map([[toHost, '/proc/self/ns/net']]));
});

test('listening sockets of both families, with their queues', host, async () => {
  await serve(a, 'tcp', 80, 'web');
  await serve(a, 'udp', 53, 'names', { bind: '10.1.0.2' });
  await serve(a, 'tcp', 81, 'six', { family: 6 });
  // Accepts nothing: connections wait. Listens on all addresses of both families.
  const script = `import socket, time; s = socket.create_server(('', 82), family=socket.AF_INET6, dualstack_ipv6=True, backlog=7); time.sleep(1000)`;
  spawn('nsenter', [`--net=${a}`, 'python3', '-c', script], { stdio: 'ignore' }).unref();
  const find = (port: number) => listListeningSockets(a).find((socket) => socket.port === port);
  await eventually('the server listens', () => find(82) !== undefined);
  spawn('nsenter', [`--net=${b}`, 'socat', '-u', 'TCP4:10.1.0.2:82', '-'], { stdio: 'ignore' }).unref();
  await eventually('a connection waits', () => find(82)?.waiting === 1);
  const shown = ({ protocol, address, port, v6only, backlog }: NonNullable<ReturnType<typeof find>>) =>
    [protocol, address, port, v6only, backlog].join(' ');
  assert.deepEqual(listListeningSockets(a).map(shown).sort(), [
    'tcp 0.0.0.0 80 false 5',
    'tcp :: 81 true 5',
    'tcp :: 82 false 7',
    'udp 10.1.0.2 53 false 0',
  ]);
  assert.deepEqual(listListeningSockets(b), []);
  const inode = find(80)?.inode;
  assert.match(sh(`ls -l /proc/[0-9]*/fd 2>/dev/null || true`), new RegExp(`socket:\\[${inode}\\]`));
});

test('a namespace that does not exist is an error', host, () => {
  assert.throws(() => observeNamespace('/run/netns/none'), /ENOENT/);
});
