/** Pure functions of several files: differences, dependencies, sysctl keys, socket addresses, numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError, KernelError, PrefixIndex, parsePrefix } from '@netyard/core';
import { assertBytes } from '@netyard/testkit';
import type { ConnectionMatch, PortProtocol } from './contract.ts';
import type { KernelObject, VethObject } from './desired.ts';
import { be16, bytes, concatBytes, encodeAttributes, nested, text, u8 } from './netlink/attribute.ts';
import { indexPorts, isConnectionOf, isConnectionTo } from './netlink/conntrack.ts';
import { decodeNftEvent, decodeRouteEvent } from './netlink/events.ts';
import { encodeLinkChange } from './netlink/rtnl/link.ts';
import { Dependencies } from './state/dependencies.ts';
import { diff, diffRemoval } from './state/diff.ts';
import { errnoName, errnoOf, hasErrno, kernelError } from './system/ffi/errno.ts';
import { deviceNumber } from './system/files.ts';
import { describeObject, identityOf, routeFamily } from './system/identity.ts';
import { overlayOptions } from './system/mounts.ts';
import { decodeSocketPort, encodeSocketAddress } from './system/sockets.ts';
import { sameSysctlValue, sysctlPath } from './system/sysctl.ts';

const ns = '/run/netns/r1';
const veth: VethObject = { kind: 'veth', name: 'a', up: true, peer: { ns, name: 'eth0', up: true } };
const address: KernelObject = { kind: 'address', ns, link: 'eth0', prefix: '10.0.0.1/8' };
const state: KernelObject = { kind: 'link-state', ns, name: 'lo', up: true };

test('absent objects are created, different ones changed, present ones left, in order', () => {
  const operations = diff(
    [veth, address, state],
    [{ state: 'absent' }, { state: 'present' }, { state: 'different', found: 'down' }],
  );
  assert.deepEqual(operations, [
    { action: 'create', object: veth },
    { action: 'change', object: state, found: 'down' },
  ]);
  assert.throws(() => diff([veth], []));
});

test('removal runs in reverse order and leaves sysctls and link states', () => {
  const sysctl: KernelObject = { kind: 'sysctl', key: 'a.b', value: '1' };
  const all = [veth, address, state, sysctl];
  assert.deepEqual(
    diffRemoval(all, [
      { state: 'present' },
      { state: 'different', found: '' },
      { state: 'present' },
      { state: 'present' },
    ]).map(({ object }) => object.kind),
    ['address', 'veth'],
  );
});

test('an object depends on its namespace and its link', () => {
  const pair = new Dependencies();
  pair.add(veth);
  assert.ok(pair.isDependencyOf(address));
  assert.ok(!pair.isDependencyOf({ ...address, ns: '/run/netns/r2' }));
  assert.ok(!pair.isDependencyOf(state));
  assert.ok(pair.isDependencyOf({ kind: 'sysctl', key: 'net.ipv4.conf.a.rp_filter', value: '2' }));
  assert.ok(!pair.isDependencyOf({ kind: 'sysctl', key: 'net.ipv4.conf.a/1.rp_filter', value: '2' }));
  assert.ok(!pair.isDependencyOf({ kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' }));
  const space = new Dependencies();
  space.add({ kind: 'netns', path: ns });
  assert.ok(space.isDependencyOf(address) && space.isDependencyOf(state) && !space.isDependencyOf(veth));
});

test('the identity of an object does not depend on its attributes; different objects have different identities', () => {
  assert.equal(identityOf(veth), identityOf({ kind: 'bridge', name: 'a', up: false }));
  const route: KernelObject = { kind: 'route', to: 'default', via: '10.0.0.1' };
  assert.equal(identityOf(route), identityOf({ ...route, via: '10.0.0.2', table: 254, metric: 0 }));
  assert.notEqual(identityOf(route), identityOf({ ...route, via: 'fd00::1' }));
  const all: KernelObject[] = [
    veth,
    address,
    state,
    route,
    { ...route, metric: 5 },
    { ...route, ns },
    { kind: 'netns', path: ns },
    { kind: 'file', path: ns, content: '' },
  ];
  assert.equal(new Set(all.map(identityOf)).size, all.length);
  assert.equal(describeObject(address), 'address 10.0.0.1/8 on eth0 in /run/netns/r1');
  assert.equal(routeFamily({ to: '10.8.0.0/16', via: 'fd00::1' }), 4);
});

test('in sysctl keys dots separate directories, slashes are dots, and no key leaves /proc/sys', () => {
  assert.equal(sysctlPath('net.ipv4.ip_forward'), '/proc/sys/net/ipv4/ip_forward');
  assert.equal(sysctlPath('net.ipv4.conf.eth0/100.rp_filter'), '/proc/sys/net/ipv4/conf/eth0.100/rp_filter');
  for (const key of ['', 'net', 'net.', '.net.x', 'net..x', 'net.//.x', 'net.ipv4.a b', 'net.ipv4.a\0', 'net./.x']) {
    assert.throws(
      () => sysctlPath(key),
      (error) => isNetyardError(error, 'invalid'),
      JSON.stringify(key),
    );
  }
  assert.ok(sameSysctlValue('32768\t60999\n', '32768 60999'));
});

test('socket addresses are encoded and decoded', () => {
  assertBytes(encodeSocketAddress('127.0.0.11', 53), [
    ['0200', 'AF_INET'],
    ['0035', 'port'],
    ['7f00000b', 'address'],
    ['0000000000000000', 'nothing'],
  ]);
  assertBytes(encodeSocketAddress('fd00::1', 80), [
    ['0a00', 'AF_INET6'],
    ['0050', 'port'],
    ['00000000', 'flow'],
    ['fd000000000000000000000000000001', 'address'],
    ['00000000', 'scope'],
  ]);
  assert.equal(decodeSocketPort(encodeSocketAddress('::', 65535)), 65535);
  for (const port of [-1, 65536, 1.5]) assert.throws(() => encodeSocketAddress('::', port), /invalid port/);
});

test('a connection matches by protocol, port and address of its first packet', () => {
  const tuple = nested(1, [
    nested(1, [bytes(1, Uint8Array.of(10, 0, 0, 1)), bytes(2, Uint8Array.of(10, 0, 0, 2))]),
    nested(2, [u8(1, 17), be16(2, 40000), be16(3, 53)]),
  ]);
  const payload = concatBytes([Uint8Array.of(2, 0, 0, 0), encodeAttributes([tuple])]);
  const isTo = (...matches: ConnectionMatch[]): boolean => isConnectionTo(payload, indexPorts(matches));
  const match = (address: string, port = 53, protocol: PortProtocol = 'udp') => ({ protocol, port, address });
  assert.ok(isTo(match('0.0.0.0')));
  assert.ok(isTo(match('10.0.0.1'), match('10.0.0.2')));
  assert.ok(isTo(match('10.0.0.1'), match('0.0.0.0')));
  assert.ok(!isTo(match('10.0.0.1')));
  assert.ok(!isTo(match('::')));
  assert.ok(!isTo(match('0.0.0.0', 53, 'tcp'), match('0.0.0.0', 40000)));
  assert.ok(!isTo());
  const within = (...subnets: string[]): boolean => {
    const index = new PrefixIndex<true>();
    for (const subnet of subnets) index.add(parsePrefix(subnet), true);
    return isConnectionOf(payload, index);
  };
  assert.ok(within('10.0.0.2/32', '192.0.2.0/24'));
  assert.ok(!within('10.0.1.0/24', 'fd00::/8'));
});

test('notifications name links and nftables tables and ignore bridge ports', () => {
  const link = encodeLinkChange('ny1', {});
  assert.deepEqual(decodeRouteEvent({ type: 17, flags: 0, sequence: 0, payload: link }), {
    ...{ type: 'link', action: 'del', name: 'ny1', index: 0 },
  });
  const port = link.slice();
  port[0] = 7;
  assert.equal(decodeRouteEvent({ type: 16, flags: 0, sequence: 0, payload: port }), undefined);
  const key = Uint8Array.of(10, 0, 0, 1);
  const list = nested(3, [nested(1, [nested(1, [bytes(1, key)])])]);
  const payload = concatBytes([Uint8Array.of(2, 0, 0, 0), encodeAttributes([text(1, 'netyard'), text(2, 's'), list])]);
  assert.deepEqual(decodeNftEvent({ type: 0x0a0e, flags: 0, sequence: 0, payload }), {
    ...{ type: 'nft', action: 'del', what: 'element', table: 'netyard', family: 'ip', set: 's', keys: [key] },
  });
  assert.deepEqual(decodeNftEvent({ type: 0x0a02, flags: 0, sequence: 0, payload }), {
    ...{ type: 'nft', action: 'del', what: 'table', table: 'netyard', family: 'ip' },
  });
  assert.equal(decodeNftEvent({ type: 0x0a0f, flags: 0, sequence: 0, payload }), undefined);
});

test('device numbers and overlay options are encoded as by makedev(3) and for mount(2)', () => {
  assert.equal(deviceNumber(1, 3), 0x103n);
  assert.equal(deviceNumber(0x12345, 0x6789a), 0x1200067834_59an);
  assert.equal(overlayOptions({ lower: [30, 31], upper: 32, work: 33 }), 'lowerdir=30:31,upperdir=32,workdir=33');
  assert.equal(
    overlayOptions({ lower: [30], upper: 31, work: 32, volatile: true }),
    'lowerdir=30,upperdir=31,workdir=32,volatile',
  );
  assert.throws(
    () => overlayOptions({ lower: new Array<number>(1000).fill(1000) }),
    (error) => isNetyardError(error, 'invalid'),
  );
});

test('errors contain number, name, operation and object', () => {
  const error = kernelError(17, 'ip link add', 'a in /run/netns/r1', 'text');
  assert.ok(error instanceof KernelError);
  assert.equal(error.message, 'ip link add a in /run/netns/r1: EEXIST: text');
  assert.ok(hasErrno(error, 'ENOENT', 'EEXIST') && !hasErrno(error, 'ENOENT'));
  assert.equal(errnoName(11), 'EAGAIN');
  assert.equal(errnoName(9999), 'errno 9999');
  assert.equal(errnoOf('EADDRINUSE'), 98);
  assert.throws(() => errnoOf('ENOTHING'), /ENOTHING/);
});
