import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostTopology } from '@netyard/topology';
import type { TracePacket } from '../src/model.ts';
import { predictPath } from '../src/predict.ts';
import { hostWith } from './host-fixture.ts';

const web = { name: 'web', network: 'bridge', address: '172.17.0.3' };
const a = { name: 'a', network: 'bridge', address: '172.17.0.2' };
const b = { name: 'b', network: 'back', address: '172.20.0.2' };
const tcp = (destination: string, destinationPort: number): TracePacket => ({
  ...{ protocol: 'tcp', destination, destinationPort },
});

function walk(topology: HostTopology, from: string, packet: TracePacket): string[] {
  const sender = topology.namespaces.find(({ name }) => name === from);
  assert.ok(sender);
  const { hops, end } = predictPath(topology, sender, packet);
  return [
    ...hops.map(({ place, kind, name, direction }) => [place, kind, name, direction ?? ''].join(' ').trim()),
    end.kind,
  ];
}

test('neighbours on a bridge: veth pair, bridge, veth pair', () => {
  assert.deepEqual(walk(hostWith([a, web]), 'a', tcp('172.17.0.3', 80)), [
    'a route 172.17.0.0/16 dev eth0',
    'a link eth0 out',
    'host link veth0 in',
    'host bridge docker0',
    'host link veth1 out',
    'web link eth0 in',
    'web socket kernel',
    'delivered',
  ]);
});

test('from one bridge to another, through the host', () => {
  assert.deepEqual(walk(hostWith([a, b]), 'a', tcp('172.20.0.2', 80)), [
    'a route default via 172.17.0.1 dev eth0',
    'a link eth0 out',
    'host link veth0 in',
    'host bridge docker0',
    'host route 172.20.0.0/16 dev br-back',
    'host bridge br-back',
    'host link veth1 out',
    'b link eth0 in',
    'b socket kernel',
    'delivered',
  ]);
});

test('a published port is translated to the address of its container', () => {
  const ports = [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 } as const];
  const topology = hostWith([a, { ...b, rest: { ports } }]);
  const path = walk(topology, 'a', tcp('192.0.2.1', 8080));
  assert.ok(path.includes('host translation port 8080/tcp of b'), path.join('\n'));
  assert.equal(path.at(-1), 'delivered');
  assert.equal(path.at(-2), 'b socket kernel');
});

test('a port published on loopback is not translated for others', () => {
  const ports = [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 80 } as const];
  const path = walk(hostWith([a, { ...b, rest: { ports } }]), 'a', tcp('192.0.2.1', 8080));
  assert.deepEqual(path.slice(-2), ['host socket kernel', 'delivered']);
});

test('ends: no address there, forwarding off, a link down, another host', () => {
  assert.equal(walk(hostWith([a]), 'a', tcp('172.17.0.9', 80)).at(-1), 'no-neighbour');
  const off = hostWith([a, b], { forwarding: { v4: false, v6: false } });
  assert.equal(walk(off, 'a', tcp('172.20.0.2', 80)).at(-1), 'not-forwarded');
  assert.equal(walk(hostWith([a]), 'host', tcp('10.9.0.1', 80)).at(-1), 'left');
  assert.equal(walk(hostWith([a]), 'host', tcp('203.0.113.1', 80)).at(-1), 'no-route');
  const down = hostWith([a, web]);
  for (const link of down.namespaces[0]?.links ?? []) if (link.name === 'docker0') link.up = false;
  assert.equal(walk(down, 'a', tcp('172.17.0.3', 80)).at(-1), 'link-down');
});

test('a socket of IPv6 takes IPv4 unless it is v6only', () => {
  const socket = { protocol: 'tcp', address: '::', port: 80, v6only: false, waiting: 0, backlog: 128 } as const;
  const delivered = (v6only: boolean): unknown => {
    const topology = hostWith([a, { ...web, sockets: [{ ...socket, v6only }] }]);
    const sender = topology.namespaces.find(({ name }) => name === 'a');
    assert.ok(sender);
    const { end } = predictPath(topology, sender, tcp('172.17.0.3', 80));
    return end.kind === 'delivered' ? end.socket?.address : end.kind;
  };
  assert.equal(delivered(false), '::');
  assert.equal(delivered(true), undefined);
});
