import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelObject } from '@netyard/kernel';
import { planHostSideRepair, planNamespaceRepair, shouldRepairNamespace } from './namespace-repair.ts';

const ns = '/run/netns/ny-1';
const veth: KernelObject = {
  ...{ kind: 'veth', name: 'ny-a', mtu: 1500, master: 'docker0', up: true },
  peer: { ns, name: 'eth0', up: true },
} as const;
const second: KernelObject = { ...veth, name: 'ny-b', peer: { ...veth.peer, name: 'eth1' } };
const address = (link: string): KernelObject => ({ kind: 'address', ns, link, prefix: '172.17.0.2/16' });
const setting = (key: string): KernelObject => ({ kind: 'sysctl', ns, key, value: '1' });
const outside: KernelObject[] = [
  { kind: 'netns', path: ns },
  { kind: 'nft-element', family: 'ip', table: 'netyard', set: 'hairpin', key: '172.17.0.2' },
];
const route: KernelObject = { kind: 'route', ns, to: 'default', via: '172.17.0.1', link: 'eth0' };
const lo: KernelObject = { kind: 'link-state', ns, name: 'lo', up: true };
const inside = [
  ...[lo, setting('net.core.somaxconn')],
  ...[veth, setting('net.ipv6.conf.eth0.disable_ipv6'), address('eth0'), route],
  ...[second, setting('net.ipv6.conf.eth1.disable_ipv6'), address('eth1')],
];
const kept = (pair: KernelObject): unknown => pair.kind === 'veth' && { ...pair, peer: { ...pair.peer, keep: true } };

test('a label decides before the policy, and the policy before CAP_NET_ADMIN', () => {
  const cases = [
    ['auto', undefined, false, true],
    ['auto', undefined, true, false],
    ['auto', true, true, true],
    ['auto', false, false, false],
    ['always', undefined, true, true],
    ['always', false, false, false],
    ['never', undefined, false, false],
    ['never', true, true, true],
  ] as const;
  for (const [policy, label, mayChange, expected] of cases)
    assert.equal(shouldRepairNamespace({ policy, label, mayChange }), expected, `${policy} ${label} ${mayChange}`);
});

test('only the host side of a container is repaired when its namespace is not', () => {
  const plan = planHostSideRepair([...outside, ...inside], ns, []);
  assert.deepEqual(plan, [...outside, kept(veth), kept(second)]);
});

test('a missing veth pair is created again with its addresses, routes and settings', () => {
  const plan = planHostSideRepair([...outside, ...inside], ns, [veth]);
  const created = [veth, setting('net.ipv6.conf.eth0.disable_ipv6'), address('eth0'), route];
  assert.deepEqual(plan, [...outside, ...created, kept(second)]);
});

test('an interface without an end on the host is created again with its addresses only when it is missing', () => {
  const inner: KernelObject = { kind: 'vxlan', ns, name: 'eth0', id: 1, port: 4789, up: true };
  const plan = [...outside, lo, inner, address('eth0'), route];
  assert.deepEqual(planHostSideRepair(plan, ns, []), outside);
  assert.deepEqual(planHostSideRepair(plan, ns, [inner]), [...outside, inner, address('eth0'), route]);
});

test('a repaired namespace has lo as the kernel creates it, and settings as read after the start', () => {
  const plan = planNamespaceRepair([...outside, ...inside], ns, new Map([['net.core.somaxconn', '7']]));
  const [first, ...others] = inside.slice(1);
  assert.ok(first);
  assert.deepEqual(plan, [
    ...outside,
    { ...lo, mtu: 65536 },
    { kind: 'address', ns, link: 'lo', prefix: '127.0.0.1/8' },
    { ...first, value: '7' },
    ...others,
  ]);
});
