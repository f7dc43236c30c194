import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { planConfig } from './config.ts';

test('IPv6 of the default bridge comes from its options', () => {
  assert.equal(planConfig({}, {}, {}).bridgeIpv6, undefined);
  assert.deepEqual(planConfig({ ipv6: true }, {}, {}).bridgeIpv6, {});
  const options = { bip6: 'fd00::1/64', 'fixed-cidr-v6': 'fd00::80/121', 'default-gateway-v6': 'fd00::9' };
  const config = planConfig({ ipv6: true, 'default-gateway': '172.17.0.9' }, options, {});
  assert.deepEqual(config.bridgeIpv6, { bip: 'fd00::1/64', fixedCidr: 'fd00::80/121', defaultGateway: 'fd00::9' });
  assert.equal(config.defaultGateway, '172.17.0.9');
  assert.deepEqual(config.warnings, []);
});

test('without --ipv6 the options have no effect, which the daemon logs', () => {
  const config = planConfig({}, { 'fixed-cidr-v6': 'fd00::/64', bip6: 'fd00::1/64' }, {});
  assert.equal(config.bridgeIpv6, undefined);
  assert.deepEqual(config.warnings, [
    '--bip6 has no effect without --ipv6',
    '--fixed-cidr-v6 has no effect without --ipv6',
  ]);
});

test('host-gateway has an address of each family', () => {
  const plan = (...addresses: string[]) => planConfig({ 'host-gateway-ips': addresses }, {}, {}).hostGateways;
  assert.deepEqual(plan('fd00::1', '10.0.0.1'), ['fd00::1', '10.0.0.1']);
  assert.throws(() => plan('x'), /invalid argument "x" for "--host-gateway-ip" flag: x is not an ip address/);
  assert.throws(() => plan('10.0.0.1', '10.0.0.2'), /only one IPv4 host gateway IP address can be specified/);
});

const rejected: [Record<string, string>, string][] = [
  [{ 'fixed-cidr-v6': '10.0.0.0/24' }, "invalid fixed-cidr-v6: '10.0.0.0/24' is not a valid IPv6 subnet"],
  [{ 'fixed-cidr-v6': 'fd00::' }, "invalid fixed-cidr-v6: 'fd00::' is not a valid IPv6 subnet"],
  [{ 'fixed-cidr-v6': 'ff00::/64' }, "invalid fixed-cidr-v6: multicast subnet 'ff00::/64' is not allowed"],
  [
    { 'fixed-cidr-v6': 'fe80::/16' },
    "invalid fixed-cidr-v6: 'fe80::/16' clashes with the Link-Local prefix 'fe80::/64'",
  ],
  [
    { 'fixed-cidr-v6': 'fd00::/127' },
    'invalid fixed-cidr-v6: no room for containers; give a prefix of 126 bits or less',
  ],
  [
    { bip6: 'fd00::1/64', 'fixed-cidr-v6': 'fd01::/80' },
    "--fixed-cidr-v6 fd01::/80 is not part of the default bridge's subnet fd00::/64",
  ],
  [{ bip6: 'fd00::1' }, 'parse bip6 failed: invalid CIDR address: fd00::1'],
  [{ bip6: '10.0.0.1/24' }, 'invalid bip6 10.0.0.1/24: not an IPv6 address'],
  [{ bip6: 'fd00::/64' }, 'invalid bip6 fd00::/64: not the address of a host in its subnet'],
  [{ bip6: 'ff02::5/64' }, "invalid bip6 ff02::5/64: multicast subnet 'ff02::5/64' is not allowed"],
  [
    { bip6: 'fd00::1/64', bridge: 'br0' },
    'You specified -b & --bip6, mutually exclusive options. Please specify only one',
  ],
  [{ 'default-gateway': '10.0.0.9' }, 'default gateway ip must be part of the network'],
  [
    { 'default-gateway': '172.17.0.1' },
    'failed to allocate secondary ip address (DefaultGatewayIPv4:172.17.0.1): Address already in use',
  ],
  [{ bip6: 'fd00::1/64', 'default-gateway-v6': 'fd01::1' }, 'default gateway ip must be part of the network'],
  [{ 'default-gateway': 'x' }, 'invalid argument "x" for "--default-gateway" flag: x is not an ip address'],
  [
    { 'default-gateway-v6': '10.0.0.1' },
    'invalid argument "10.0.0.1" for "--default-gateway-v6" flag: 10.0.0.1 is not an IPv6 address',
  ],
];
for (const [options, message] of rejected)
  test(`rejects ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => planConfig(options, {}, {}),
      (error) => isNetyardError(error) && error.message === message,
    );
  });
