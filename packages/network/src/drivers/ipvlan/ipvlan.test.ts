import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from '../../contract.ts';
import type { HostFacts } from '../../model.ts';
import type { EndpointPlanInput } from '../driver.ts';
import { ipvlanDriver } from './driver.ts';

const record = (options: Record<string, string>): NetworkRecord =>
  ({
    ...{ id: 'f'.repeat(64), name: 'lan', driver: 'ipvlan', internal: false, options },
    ipam: { driver: 'default', v4: [{ subnet: '192.0.2.0/24' }] },
  }) as unknown as NetworkRecord;
const problemsOf = (options: Record<string, string>): string[] =>
  ipvlanDriver.validate(record(options)).map(({ code, message }) => `${code}: ${message}`);

test('invalid options are rejected with the messages of Docker', () => {
  for (const ipvlan_mode of ['', 'l2', 'l3', 'l3s'])
    for (const ipvlan_flag of ['', 'bridge', 'private', 'vepa'])
      assert.deepEqual(problemsOf({ parent: 'up0', ipvlan_mode, ipvlan_flag }), []);
  assert.deepEqual(problemsOf({ parent: 'up0', ipvlan_mode: 'l4' }), [
    "failed: requested ipvlan mode 'l4' is not valid, 'l2' mode is the ipvlan driver default",
  ]);
  assert.deepEqual(problemsOf({ parent: 'up0', ipvlan_flag: 'passthru' }), [
    "failed: requested ipvlan flag 'passthru' is not valid, 'bridge' is the ipvlan driver default",
  ]);
  assert.deepEqual(problemsOf({ parent: 'lo' }), ['failed: loopback interface is not a valid ipvlan parent link']);
  assert.deepEqual(problemsOf({ parent: 'up0', 'com.docker.network.driver.mtu': '65536' }), [
    'invalid: invalid MTU number: 65536',
  ]);
  assert.deepEqual(problemsOf({ parent: 'up0', 'com.docker.network.driver.mtu': '9k' }), [
    'invalid: invalid MTU number: 9k',
  ]);
});

test('networks do not share a parent, as the kernel has one mode for all its interfaces', () => {
  const [network, other] = [record({ parent: 'up0' }), { ...record({ parent: 'up0' }), id: 'abcdef012345678' }];
  assert.equal(ipvlanDriver.findParentConflict?.(network, []), undefined);
  assert.equal(
    ipvlanDriver.findParentConflict?.(network, [other])?.message,
    'network di-abcdef012345 is already using parent interface up0',
  );
});

const plan = (options: Record<string, string>, way: { gateway?: string; onLink?: true }): unknown => {
  const v4 = { address: '192.0.2.66', prefixLength: 24, ...way };
  return ipvlanDriver.openPlanner(record({ parent: 'up0', ...options })).planEndpoint({
    endpoint: { link: 'eth0', hostLink: '', mac: '', addresses: { v4 }, config: {} },
    netnsPath: '/n',
    isGateway: { v4: true, v6: true },
    hasIpv6Ports: true,
    facts: { ipv6: true } as HostFacts,
  } as EndpointPlanInput);
};
const objects = (mode: string, flag: string): object[] => [
  { kind: 'ipvlan', ns: '/n', name: 'eth0', parent: 'up0', mode, flag, up: true },
  { kind: 'sysctl', ns: '/n', key: 'net.ipv6.conf.eth0.disable_ipv6', value: '1' },
  { kind: 'address', ns: '/n', link: 'eth0', prefix: '192.0.2.66/24', broadcast: '192.0.2.255' },
];

test('an endpoint of mode l2 has a default route only through a requested gateway', () => {
  const route = { kind: 'route', ns: '/n', to: 'default', family: 4, via: '192.0.2.1', link: 'eth0' };
  assert.equal(ipvlanDriver.routesOnLink?.(record({ parent: 'up0' })), false);
  assert.deepEqual(plan({}, {}), objects('l2', 'bridge'));
  assert.deepEqual(plan({ ipvlan_flag: 'vepa' }, { gateway: '192.0.2.1' }), [...objects('l2', 'vepa'), route]);
});

test('an endpoint of the modes l3 and l3s has a default route to its interface', () => {
  const route = { kind: 'route', ns: '/n', to: 'default', family: 4, scope: 'link', link: 'eth0' };
  for (const ipvlan_mode of ['l3', 'l3s']) {
    assert.equal(ipvlanDriver.routesOnLink?.(record({ parent: 'up0', ipvlan_mode })), true);
    assert.deepEqual(plan({ ipvlan_mode }, { onLink: true }), [...objects(ipvlan_mode, 'bridge'), route]);
  }
});
