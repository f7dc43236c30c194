/** Tests the checks of a request for a network: their order, families, subnets, and configuration-only networks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { CreateNetworkRequest, NetworkRecord } from '../contract.ts';
import { checkCreate } from './check.ts';
import { warnOfUnusedSubnets } from './families.ts';

const record = (name: string, more: Partial<NetworkRecord> = {}): NetworkRecord => ({
  ...{ id: name.padEnd(64, '0'), name, driver: 'bridge', created: 0n, ipam: { driver: 'default', v4: [] } },
  ...{ internal: false, attachable: false, options: {}, labels: {}, predefined: false },
  ...more,
});

const mtu = { 'com.docker.network.driver.mtu': '1400' };
const configuration = { driver: 'default', options: { g: 'h' }, v4: [{ subnet: '10.9.0.0/24' }] };
const existing = new Map(
  [record('back'), record('cfg', { driver: 'null', configuration, options: mtu, labels: { a: 'b' } })].map((one) => [
    one.id,
    one,
  ]),
);

const check = (request: Partial<CreateNetworkRequest>) =>
  checkCreate({ name: 'x', driver: 'bridge', ...request }, existing);

function rejects(request: Partial<CreateNetworkRequest>, code: string, message: string): void {
  assert.throws(
    () => check(request),
    (error) => {
      assert.ok(isNetyardError(error), String(error));
      assert.deepEqual([error.message, error.code], [message, code]);
      return true;
    },
  );
}

const families = (v4: string, v6: string) => ({
  options: { 'com.docker.network.enable_ipv4': v4, 'com.docker.network.enable_ipv6': v6 },
});

test('families: the request takes precedence over options', () => {
  const enabled = (request: Partial<CreateNetworkRequest>): string[] =>
    Object.keys(check({ configOnly: true, ...request }).draft.configuration ?? {}).filter((key) => key !== 'driver');
  const ipam = { v4: [], v6: [] };
  assert.deepEqual(enabled({ enable: {}, ipam }), ['v4']);
  assert.deepEqual(enabled({ enable: { v4: false, v6: true }, ipam }), ['v6']);
  assert.deepEqual(enabled({ enable: {}, ...families('F', '1') }), ['v6']);
  assert.deepEqual(enabled({ enable: { v4: true, v6: false }, ...families('F', '1') }), ['v4']);
  assert.deepEqual(enabled({ ipam: { v6: [] } }), ['v6']);
  rejects(
    { enable: {}, ...families('1', 'yes') },
    'invalid',
    'driver-opt "com.docker.network.enable_ipv6" is not a valid bool',
  );
});

test('subnets of a family that the network does not have are named', () => {
  const ipam = { v4: [{ subnet: '10.6.0.0/16' }], v6: [{ subnet: 'fd00::/64' }, { subnet: '' }] };
  const warn = (enable: CreateNetworkRequest['enable']): string[] => {
    const request: CreateNetworkRequest = { name: 'front', driver: 'bridge', ipam };
    return warnOfUnusedSubnets(enable === undefined ? request : { ...request, enable });
  };
  assert.deepEqual(warn(undefined), []);
  assert.deepEqual(warn({}), ['IPv6 is not enabled: subnet fd00::/64 is not used']);
  assert.deepEqual(warn({ v4: false, v6: true }), ['IPv4 is not enabled: subnet 10.6.0.0/16 is not used']);
});

test('all problems of the subnets are reported at once, those of IPv6 only where it is enabled', () => {
  const v6 = [{ subnet: 'fd00::1/64', gateway: 'fd01::1' }];
  const v4 = [
    { subnet: '10.6.0.1/16', range: '10.6.0.1/8', gateway: '10.7.0.1' },
    { subnet: '10.8.0.0/16', range: '10.9.0.0/24', gateway: 'fd00::1', auxAddresses: { a: '10.9.0.1' } },
    { subnet: '10.8.0.0', range: 'x' },
    { subnet: '10.8.0.0/16', range: 'fd00::/64', gateway: 'y' },
  ];
  const problems = [
    'invalid subnet 10.6.0.1/16: it should be 10.6.0.0/16',
    'invalid ip-range 10.6.0.1/8: CIDR block is bigger than its parent subnet 10.6.0.1/16',
    'invalid ip-range 10.6.0.1/8: it should be 10.0.0.0/8',
    "invalid gateway 10.7.0.1: parent subnet 10.6.0.1/16 doesn't contain this address",
    "invalid ip-range 10.9.0.0/24: parent subnet 10.8.0.0/16 doesn't contain ip-range",
    'invalid gateway fd00::1: parent subnet is an IPv4 block',
    "invalid auxiliary address a: parent subnet 10.8.0.0/16 doesn't contain this address",
    'invalid subnet 10.8.0.0: invalid CIDR block notation',
    'invalid ip-range fd00::/64: parent subnet is an IPv4 block',
    'invalid gateway y: invalid address',
    'invalid subnet fd00::1/64: it should be fd00::/64',
    "invalid gateway fd01::1: parent subnet fd00::1/64 doesn't contain this address",
  ];
  const text = problems.reduce((before, problem) => `${before}\n* ${problem}`, 'invalid network config:');
  rejects({ enable: { v6: true }, ipam: { v4, v6 } }, 'invalid', text);
  assert.deepEqual(check({ enable: {}, ipam: { v6 } }).draft.ipam, { driver: 'default', v4: [] });
});

test('requests are checked in Docker’s order', () => {
  const badIpam = { enable: {}, ipam: { v4: [{ subnet: 'x' }] } };
  const badOption = { options: { 'com.docker.network.enable_ipv4': 'x' } };
  for (const name of ['bridge', 'host', 'none', 'default'])
    rejects(
      { name, enable: {}, ...badOption },
      'forbidden',
      `operation is not permitted on predefined ${name} network `,
    );
  const notBool = 'driver-opt "com.docker.network.enable_ipv4" is not a valid bool';
  rejects({ name: '', ...badIpam, ...badOption }, 'invalid', notBool);
  const invalidSubnet = 'invalid network config:\ninvalid subnet x: invalid CIDR block notation';
  rejects({ name: '', ...badIpam }, 'invalid', invalidSubnet);
  rejects({ name: ' ', configOnly: true, scope: 'swarm' }, 'invalid', 'invalid name: name is empty');
  const exists = 'network with name back already exists';
  rejects({ name: 'back', configOnly: true, internal: true }, 'conflict', exists);
  const own = { configFrom: 'missing', labels: { a: 'b' }, driver: 'weave' };
  rejects(
    own,
    'forbidden',
    'user-specified configurations are not supported if the network depends on a configuration network',
  );
  rejects({ configFrom: 'missing', driver: 'weave', ingress: true }, 'not-found', 'plugin "weave" not found');
  rejects({ configFrom: 'missing', ingress: true }, 'forbidden', 'Ingress network can only be global scope network');
  rejects({ configFrom: 'missing', scope: 'swarm' }, 'not-found', 'configuration network "missing" does not exist');
  rejects({ configFrom: 'back' }, 'not-found', 'configuration network "back" does not exist');
  const noSwarm = 'cannot create a swarm scoped network when swarm is not active';
  rejects({ scope: 'swarm', options: { 'com.docker.network.bridge.enable_icc': 'x' } }, 'forbidden', noSwarm);
  rejects({ scope: 'global' }, 'not-implemented', 'networks of scope global are not implemented yet');
});

test('a configuration-only network has no options of Swarm, and does not depend on another one', () => {
  const operatorFields =
    'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.';
  for (const more of [{ internal: true }, { attachable: true }, { ingress: true }, { scope: 'local' }])
    rejects({ configOnly: true, ...more }, 'forbidden', operatorFields);
  rejects(
    { configOnly: true, configFrom: 'cfg' },
    'forbidden',
    'a configuration network cannot depend on another configuration network',
  );
  // Its driver and options are checked where it is used.
  const ipam = { v4: [{ subnet: '10.0.0.0/8' }] };
  const { driver, draft } = check({ configOnly: true, driver: 'weave', ipam, options: { parent: 'eth9' } });
  assert.equal(driver, undefined);
  assert.deepEqual([draft.driver, draft.ipam], ['null', { driver: 'default' }]);
  assert.deepEqual(draft.configuration, { driver: 'default', ...ipam });
});

test('a network takes the configuration of a configuration-only network, and has none of its own', () => {
  const { driver, draft } = check({
    configFrom: 'cfg',
    internal: true,
    attachable: true,
    enable: {},
    ipam: { v4: [] },
  });
  assert.equal(driver?.name, 'bridge');
  assert.deepEqual(draft, {
    ...{ name: 'x', driver: 'bridge', internal: true, attachable: true },
    ...{ ipam: configuration, options: mtu, labels: { a: 'b' }, configFrom: 'cfg' },
  });
  const user = 'user-specified configurations are not supported if the network depends on a configuration network';
  for (const own of [
    { ipam: { v4: [{ subnet: '10.9.0.0/24' }] } },
    { ipam: { v4: [], options: { a: 'b' } } },
    { ipam: { v4: [], driver: 'null' } },
    { enable: { v6: true } },
    { enable: { v4: false } },
    { labels: { a: 'b' } },
  ])
    rejects({ configFrom: 'cfg', ...own }, 'forbidden', user);
  const options = 'network driver options are not supported if the network depends on a configuration network';
  rejects({ configFrom: 'cfg', options: mtu }, 'forbidden', options);
});

test('options that the request does not set have the daemon’s defaults, unless the configuration is another network’s', () => {
  const defaults = {
    bridge: { a: 'default', b: 'default', ...families('1', '1').options },
    macvlan: { parent: 'eth1' },
  };
  const optionsOf = (request: Partial<CreateNetworkRequest>) =>
    checkCreate({ name: 'x', driver: 'bridge', enable: {}, ...request }, existing, defaults).draft;
  const { options, ipam } = optionsOf({ options: { a: 'own' } });
  assert.deepEqual([options['a'], options['b'], Object.keys(ipam)], ['own', 'default', ['driver', 'v4', 'v6']]);
  assert.deepEqual(optionsOf({ configFrom: 'cfg' }).options, mtu);
  assert.deepEqual(optionsOf({ driver: 'macvlan' }).options, { parent: 'eth1' });
});
