/** The parents that Netyard creates, and the host's access to macvlan networks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from '../contract.ts';
import type { HostFacts } from '../model.ts';
import type { Driver, EndpointPlanInput } from './driver.ts';
import { ipvlanDriver } from './ipvlan/driver.ts';
import { macvlanDriver } from './macvlan/driver.ts';
import { splitVlan } from './parent.ts';

const id = 'abcdef012345'.padEnd(64, '0');
const record = (options: Record<string, string>, more: Partial<NetworkRecord> = {}): NetworkRecord =>
  ({
    ...{ id, name: 'lan', driver: 'macvlan', internal: false, options },
    ipam: { driver: 'default', v4: [{ subnet: '192.0.2.0/24' }], v6: [{ subnet: '2001:db8::/64' }] },
    ...more,
  }) as unknown as NetworkRecord;
const facts = { ipv6: true } as HostFacts;
const plan = (driver: Driver, network: NetworkRecord) => driver.openPlanner(network).planNetwork(facts);
const endpoint = {
  ...{ netnsPath: '/n', isGateway: { v4: false, v6: false }, facts },
  endpoint: {
    ...{ link: 'eth0', hostLink: '', mac: '02:42:c0:00:02:42', config: {} },
    addresses: {
      v4: { address: '192.0.2.66', prefixLength: 24 },
      v6: { address: '2001:db8::66', prefixLength: 64 },
    },
  },
} as unknown as EndpointPlanInput;

test('the name of a VLAN sub-interface is an interface, a dot and a number', () => {
  assert.deepEqual(splitVlan('eth0.10'), { base: 'eth0', id: 10 });
  for (const name of ['eth0', 'eth0.', '.10', 'eth0.10.20', 'eth0.x', 'eth0.-1'])
    assert.equal(splitVlan(name), undefined, name);
});

test('a network plans the VLAN sub-interface that it created, and no existing one', () => {
  assert.deepEqual(plan(macvlanDriver, record({ parent: 'eth0.10' })), []);
  for (const driver of [macvlanDriver, ipvlanDriver])
    assert.deepEqual(plan(driver, record({ parent: 'eth0.10' }, { createdParent: true })), [
      { kind: 'vlan', name: 'eth0.10', parent: 'eth0', id: 10, owner: 'netyard: VLAN 10 of eth0', up: true },
    ]);
});

test('a network without a parent is internal, on a dummy interface named as in Docker', () => {
  const owner = 'netyard: network lan (abcdef012345), parent';
  for (const [driver, name] of [
    [macvlanDriver, 'dm-abcdef012345'],
    [ipvlanDriver, 'di-abcdef012345'],
  ] as const) {
    assert.deepEqual(plan(driver, record({})), [{ kind: 'dummy', name, owner, up: true }]);
    const [link] = driver.openPlanner(record({})).planInterface(endpoint);
    assert.ok(link !== undefined && 'parent' in link);
    assert.equal(link.parent, name);
    assert.deepEqual([driver.isInternal?.(record({})), driver.isInternal?.(record({ parent: 'x' }))], [true, false]);
    assert.deepEqual(driver.linkKinds?.(record({})), [driver.name, 'dummy']);
  }
});

const access = (value: string, more: Record<string, string> = {}): string[] =>
  macvlanDriver
    .validate(record({ parent: 'eth0', 'netyard.host_access': value, ...more }))
    .map(({ code, message }) => `${code}: ${message}`);

test('the host’s address has to be one of a host in the network, in a mode in which it is reached', () => {
  for (const value of ['192.0.2.250', '2001:db8::250', '192.0.2.250,2001:db8::250'])
    assert.deepEqual(access(value), []);
  const invalid: [string, string][] = [
    ['true', 'invalid IP address "true"'],
    ['', 'invalid IP address ""'],
    ['10.0.0.1', 'no configured subnet contains 10.0.0.1'],
    ['192.0.2.0', '192.0.2.0 is not the address of a host'],
    ['192.0.2.255', '192.0.2.255 is not the address of a host'],
    ['192.0.2.7,192.0.2.8', 'more than one address of a family'],
  ];
  for (const [value, reason] of invalid)
    assert.deepEqual(access(value), [`invalid: failed to parse netyard.host_access value: ${value} (${reason})`]);
  for (const macvlan_mode of ['private', 'vepa', 'passthru'])
    assert.deepEqual(access('192.0.2.250', { macvlan_mode }), [
      `invalid: option netyard.host_access needs macvlan_mode=bridge: in mode ${macvlan_mode} the host reaches no container`,
    ]);
  assert.match(
    ipvlanDriver.validate(record({ parent: 'eth0', 'netyard.host_access': '192.0.2.250' }))[0]?.message ?? '',
    /is not implemented for ipvlan networks/,
  );
});

test('the host gets an interface on the parent, and a route to each endpoint', () => {
  const network = record({ parent: 'eth0', 'netyard.host_access': '192.0.2.250,2001:db8::250' });
  const planner = macvlanDriver.openPlanner(network);
  const link = 'mh-abcdef012345';
  const sysctl = (key: string, value: string) => ({ kind: 'sysctl', key: `net.${key}`, value });
  assert.deepEqual(planner.planNetwork(facts), [
    {
      ...{ kind: 'macvlan', name: link, parent: 'eth0', mode: 'bridge', mac: '02:42:c0:00:02:fa' },
      ...{ owner: 'netyard: network lan (abcdef012345), host access', up: true },
    },
    sysctl(`ipv4.conf.${link}.arp_filter`, '1'),
    sysctl(`ipv4.conf.${link}.arp_announce`, '2'),
    sysctl(`ipv6.conf.${link}.accept_ra`, '0'),
    sysctl(`ipv6.conf.${link}.disable_ipv6`, '0'),
    { kind: 'address', link, prefix: '192.0.2.250/32' },
    { kind: 'address', link, prefix: '2001:db8::250/128' },
  ]);
  assert.deepEqual(planner.planHostElements(endpoint), [
    { kind: 'route', to: '192.0.2.66/32', link, source: '192.0.2.250', scope: 'link' },
    { kind: 'route', to: '2001:db8::66/128', link, source: '2001:db8::250' },
  ]);
  const ofV4 = macvlanDriver.openPlanner(record({ parent: 'eth0', 'netyard.host_access': '192.0.2.250' }));
  assert.equal(ofV4.planHostElements(endpoint).length, 1);
  assert.ok(
    ofV4.planNetwork(facts).some((one) => one.kind === 'sysctl' && /disable_ipv6/.test(one.key) && one.value === '1'),
  );
});
