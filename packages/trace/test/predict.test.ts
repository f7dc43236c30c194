import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostTopology } from '@netyard/topology';
import type { TracePacket } from '../src/model.ts';
import { predictPath } from '../src/predict.ts';
import { extend, hostLink, hostWith } from './host-fixture.ts';

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

test('bridges that a veth pair joins are one: to a neighbour, to the gateway, and from the host', () => {
  const topology = (): HostTopology => extend(hostWith([a, web, b]), 'web');
  const crossing = ['host link trunk out', 'host link uplink in', 'host bridge seg', 'host link veth1 out'];
  assert.deepEqual(walk(topology(), 'a', tcp('172.17.0.3', 80)).slice(2), [
    ...['host link veth0 in', 'host bridge docker0', ...crossing],
    ...['web link eth0 in', 'web socket kernel', 'delivered'],
  ]);
  assert.deepEqual(walk(topology(), 'host', tcp('172.17.0.3', 80)), [
    ...['host route 172.17.0.0/16 dev docker0', 'host bridge docker0', ...crossing],
    ...['web link eth0 in', 'web socket kernel', 'delivered'],
  ]);
  const back = ['host link veth1 in', 'host bridge seg', 'host link uplink out', 'host link trunk in'];
  assert.deepEqual(walk(topology(), 'web', tcp('172.17.0.2', 80)).slice(2, -3), [
    ...[...back, 'host bridge docker0', 'host link veth0 out'],
  ]);
  assert.deepEqual(walk(topology(), 'web', tcp('172.20.0.2', 80)).slice(2, -4), [
    ...[...back, 'host bridge docker0', 'host route 172.20.0.0/16 dev br-back', 'host bridge br-back'],
  ]);
  const both = extend(hostWith([a, web]), 'a', 'web');
  assert.ok(!walk(both, 'web', tcp('172.17.0.2', 80)).includes('host bridge docker0'));
});

test('an interface between joined bridges that is down ends the path; a second pair is used instead', () => {
  for (const name of ['trunk', 'uplink', 'seg']) {
    const topology = extend(hostWith([a, web]), 'web');
    hostLink(topology, name).up = false;
    const sender = topology.namespaces.find((one) => one.name === 'a');
    const { end } = predictPath(topology, sender ?? assert.fail(), tcp('172.17.0.3', 80));
    assert.deepEqual([end.kind, 'link' in end && end.link], ['link-down', name]);
  }
  const doubled = extend(hostWith([a, web]), 'web');
  const pair = (name: string, index: number, other: number) => ({
    ...{ ...hostLink(doubled, name), name: `${name}2`, index, peer: { namespaceId: '1', index: other } },
  });
  doubled.namespaces[0]?.links.push(pair('trunk', 53, 54), pair('uplink', 54, 53));
  hostLink(doubled, 'uplink').up = false;
  const path = walk(doubled, 'a', tcp('172.17.0.3', 80));
  assert.ok(path.includes('host link trunk2 out') && path.at(-1) === 'delivered', path.join('\n'));
  const severed = extend(hostWith([a, web]), 'web');
  delete hostLink(severed, 'uplink').masterIndex;
  assert.equal(walk(severed, 'a', tcp('172.17.0.3', 80)).at(-1), 'no-neighbour');
});

test('a port of a joined bridge that leads elsewhere is where unknown addresses are', () => {
  const topology = extend(hostWith([a]));
  topology.namespaces[0]?.links.push({ ...hostLink(topology, 'eth0'), index: 60, name: 'eth1', masterIndex: 50 });
  const path = walk(topology, 'a', tcp('172.17.0.9', 80));
  assert.deepEqual(path.slice(-2), ['host bridge seg', 'left']);
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
