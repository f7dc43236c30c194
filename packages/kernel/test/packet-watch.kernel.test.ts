/** Watches of packets by the kernel's tracepoints: what they see, and why the kernel drops packets of a probe. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { before, test } from 'node:test';
import { isNetyardError, type NetyardError } from '@netyard/core';
import {
  type DroppedPacket,
  hasErrno,
  type ProbeRequest,
  type WatchedPacket,
  type WatchRequest,
} from '@netyard/kernel';
import { eventually, inFreshHost, pings, sh } from '@netyard/testkit';
import { killBpfHolder } from './bpf-holder.ts';
import { a, addNamespaces, b, far, patience, table, tracing } from './trace-host.ts';

const host = inFreshHost(import.meta.url);
const own = '/proc/self/ns/net';
const places = { [a]: 'a', [own]: 'host', [b]: 'b', [far]: 'far' } as const;
const namespaces = Object.keys(places);
const options = host.skip === false ? { skip: missingBpf() } : host;
before(async () => {
  if (options.skip === false) await addNamespaces();
});

function missingBpf(): string | false {
  try {
    tracing.openPacketWatch({ match: { family: 4, protocol: 'tcp', id: 1 }, namespaces: [] }).close();
    return false;
  } catch (error) {
    if (isNetyardError(error, 'unavailable') || hasErrno(error, 'EPERM')) return (error as NetyardError).message;
    throw error;
  }
}

interface Watched {
  outcome: string;
  packets: WatchedPacket[];
  drops: DroppedPacket[];
}

async function watch(request: ProbeRequest, timeoutMs: number, outgoing: boolean): Promise<Watched> {
  const probe = tracing.openProbe(request);
  const opened = tracing.openPacketWatch({ match: probe.match, namespaces, outgoing });
  try {
    const { outcome } = await probe.send(timeoutMs);
    assert.ok(pings(a, '10.9.0.1'), 'traffic of others');
    const seen = await opened.read();
    assert.equal(opened.incomplete, false);
    return { outcome, ...seen };
  } finally {
    opened.close();
    probe.close();
  }
}

const placeOf = (path: string | undefined): string => places[path as keyof typeof places] ?? '-';
const hop = ({ namespace, link, direction, headers }: WatchedPacket): string =>
  `${placeOf(namespace)} ${link} ${direction} ${headers.tcp?.flags.join('+') ?? headers.icmp?.type ?? headers.protocol}`;
const dropText = ({ namespace, link, reason, location }: DroppedPacket): string =>
  [placeOf(namespace), link, reason, location].join(' ');

/** Drops of a datagram from `a`. */
async function dropsOf(destination: string, dataLength = 0): Promise<string[]> {
  const { drops } = await watch({ ns: a, protocol: 'udp', destination, port: 99, dataLength }, 150, false);
  return drops.filter(({ headers }) => headers.icmp === undefined).map(dropText);
}

test(
  'a watch sees a probe and its answer on each link that receives them, and on each that sends them',
  options,
  async () => {
    const request = { ns: a, protocol: 'tcp', destination: '10.8.0.2', port: 80 } as const;
    const incoming = await watch(request, patience, false);
    assert.deepEqual(incoming.packets.map(hop).slice(0, 5), [
      ...['host va other SYN', 'host br0 in SYN', 'far eth0 in SYN'],
      ...['host vfar in SYN+ACK', 'a eth0 in SYN+ACK'],
    ]);
    const both = await watch(request, patience, true);
    assert.equal(both.outcome, 'connected');
    assert.deepEqual(both.packets.map(hop).slice(0, 10), [
      ...['a eth0 out SYN', 'host va other SYN', 'host br0 in SYN', 'host vfar out SYN', 'far eth0 in SYN'],
      ...['far eth0 out SYN+ACK', 'host vfar in SYN+ACK', 'host br0 out SYN+ACK', 'host va out SYN+ACK'],
      'a eth0 in SYN+ACK',
    ]);
    const [first] = both.packets;
    assert.deepEqual([first?.headers.source, first?.headers.destinationPort], ['10.9.0.2', 80]);
  },
);

test('IPv6, echo requests, quoted packets and those in tunnels are seen', options, async () => {
  const six = await watch({ ns: a, protocol: 'icmp', destination: 'fd08::2' }, patience, false);
  assert.deepEqual(six.packets.map(hop), [
    ...['host va other 128', 'host br0 in 128', 'far eth0 in 128'],
    ...['host vfar in 129', 'a eth0 in 129'],
  ]);
  sh('ip route add prohibit 10.77.0.0/16');
  const refused = await watch({ ns: a, protocol: 'udp', destination: '10.77.0.1', port: 99 }, patience, false);
  assert.deepEqual(refused.packets.map(hop), ['host va other 17', 'host br0 in 17', 'a eth0 in 3']);
  assert.equal(refused.packets[2]?.headers.icmp?.about?.destination, '10.77.0.1');
  for (const [ns, local, remote, address] of [
    ['a', '10.9.0.2', '10.8.0.2', '10.7.0.2'],
    ['far', '10.8.0.2', '10.9.0.2', '10.7.0.3'],
  ])
    sh(`set -e; ip -n ${ns} link add vx type vxlan id 7 local ${local} remote ${remote} dstport 4789 dev eth0
      ip -n ${ns} address add ${address}/24 dev vx; ip -n ${ns} link set vx up`);
  assert.ok(pings(a, '10.7.0.3'));
  const tunnel = await watch({ ns: a, protocol: 'tcp', destination: '10.7.0.3', port: 80 }, patience, true);
  assert.deepEqual(tunnel.packets.map(hop).slice(0, 3), ['a vx out SYN', 'a eth0 out 17', 'host va other 17']);
  assert.deepEqual(tunnel.packets[1]?.headers.inner?.tcp?.flags, ['SYN']);
  sh('ip -n a link del vx; ip -n far link del vx');
});

test(
  'other ports of the same protocols are not seen, and drops are not unless they are asked for',
  options,
  async () => {
    sh('ip route add blackhole 10.79.0.0/16');
    const opened = tracing.openPacketWatch({ match: { family: 4, protocol: 'udp', id: 1 }, namespaces, drops: false });
    const probe = tracing.openProbe({ ns: a, protocol: 'udp', destination: '10.79.0.1', port: 99 });
    const mine = tracing.openPacketWatch({ match: probe.match, namespaces, drops: false });
    try {
      await probe.send(50);
      const { packets, drops } = await mine.read();
      assert.deepEqual([packets.map(hop), drops], [['host va other 17', 'host br0 in 17'], []]);
      assert.deepEqual(await opened.read(), { packets: [], drops: [] });
    } finally {
      for (const one of [opened, mine, probe]) one.close();
      sh('ip route del blackhole 10.79.0.0/16');
    }
  },
);

test('drops are reported with the kernel’s reason, its function, and the link before', options, async () => {
  sh('ip route add blackhole 10.78.0.0/16');
  assert.deepEqual(await dropsOf('10.78.0.1'), ['host br0 NOT_SPECIFIED ip_error']);
  sh('sysctl -qw net.ipv4.ip_forward=0');
  assert.deepEqual(await dropsOf('10.8.0.2'), ['host br0 IP_INADDRERRORS ip_error']);
  sh('sysctl -qw net.ipv4.ip_forward=1');
  assert.match((await dropsOf('10.8.0.2'))[0] ?? '', /^far eth0 NO_SOCKET /);
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; udp dport 99 drop\n }\n}');
  assert.match((await dropsOf('10.8.0.2'))[0] ?? '', /^host br0 NETFILTER_DROP /);
  sh('nft delete table ip fw; ip -n far link set eth0 mtu 1300');
  const [narrow] = await dropsOf('10.8.0.2', 1401);
  assert.match(narrow ?? '', /^host (br0|vfar) \w+ \S*forward_skb/);
  sh('ip -n far link set eth0 mtu 1500');
});

test('a watch that stops packets keeps what it has seen, and still reports drops', options, async () => {
  table('table ip fw {\n chain forw {\n type filter hook forward priority 0; udp dport 99 drop\n }\n}');
  const request = { ns: a, protocol: 'udp', destination: '10.8.0.2', port: 99 } as const;
  const probe = tracing.openProbe(request);
  const opened = tracing.openPacketWatch({ match: probe.match, namespaces, outgoing: true });
  const later = tracing.openPacketWatch({ match: probe.match, namespaces, outgoing: true });
  const programs = objects().length;
  try {
    later.stopPackets();
    await eventually('its programs are gone', () => objects().length === programs - 2);
    await probe.send(50);
    opened.stopPackets();
    opened.stopPackets();
    const seen = await opened.read();
    assert.deepEqual(seen.packets.map(hop), ['a eth0 out 17', 'host va other 17', 'host br0 in 17']);
    const { packets, drops } = await later.read();
    assert.deepEqual(packets, []);
    assert.match(drops.map(dropText).join(), /^host br0 NETFILTER_DROP [^,]+$/);
  } finally {
    for (const one of [opened, later, probe]) one.close();
    sh('nft delete table ip fw');
  }
});

/** This process's descriptors of programs, links and maps of BPF. */
const objects = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const link = readlinkSync(`/proc/self/fd/${fd}`);
      return /bpf/.test(link) ? [link] : [];
    } catch {
      return [];
    }
  });

test('closing a watch leaves nothing, and so does a killed process', options, async () => {
  const match = { family: 4, protocol: 'tcp', id: 40_000 } as const;
  const opened = tracing.openPacketWatch({ match, namespaces, outgoing: true });
  assert.notEqual(objects().length, 0);
  opened.close();
  opened.close();
  assert.deepEqual(await opened.read(), { packets: [], drops: [] });
  await eventually('all objects are closed', () => objects().length === 0);
  assert.throws(
    () => tracing.openPacketWatch({ match, namespaces: ['/run/netns/none'] }),
    (error) => hasErrno(error, 'ENOENT'),
  );
  await eventually('all objects are closed', () => objects().length === 0);
  for (const drops of [false, true]) await killHolder({ match, namespaces: [], drops });
});

/** Kills a process while it holds a watch. */
const killHolder = (request: WatchRequest): Promise<void> =>
  killBpfHolder(
    `import { packetTracing } from '@netyard/kernel'; packetTracing().openPacketWatch(${JSON.stringify(request)})`,
  );
