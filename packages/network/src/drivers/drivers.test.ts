import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from '../contract.ts';
import type { HostFacts } from '../model.ts';
import type { NetworkSpec } from './driver.ts';
import { driverNames, driverOf, findDriver } from './index.ts';

const pools = [{ subnet: '10.5.0.0/24', gateway: '10.5.0.1' }];
const spec = (options: Record<string, string>, own = pools): NetworkSpec => ({
  ipam: { driver: 'default', v4: own },
  internal: false,
  options,
});
const problemsOf = (driver: string, network: NetworkSpec): string[] =>
  (findDriver(driver)?.validate(network) ?? []).map(({ code, message }) => `${code}: ${message}`);

test('the bridge driver rejects invalid options with the messages of Docker', () => {
  const key = 'com.docker.network.';
  assert.deepEqual(
    problemsOf(
      'bridge',
      spec({
        [`${key}bridge.enable_icc`]: 'maybe',
        [`${key}bridge.host_binding_ipv4`]: 'somewhere',
        [`${key}bridge.gateway_mode_ipv4`]: 'fast',
        [`${key}driver.mtu`]: '9k',
      }),
    ),
    [
      `invalid: failed to parse ${key}bridge.enable_icc value: maybe (strconv.ParseBool: parsing "maybe": invalid syntax)`,
      `invalid: failed to parse ${key}bridge.host_binding_ipv4 value: somewhere (nil ip)`,
      `invalid: failed to parse ${key}bridge.gateway_mode_ipv4 value: fast (unknown gateway mode fast)`,
      `invalid: failed to parse ${key}driver.mtu value: 9k (strconv.Atoi: parsing "9k": invalid syntax)`,
    ],
  );
  assert.deepEqual(problemsOf('bridge', spec({ [`${key}driver.mtu`]: '-1' })), ['invalid: invalid MTU number: -1']);
  assert.deepEqual(problemsOf('bridge', spec({ [`${key}driver.mtu`]: '65536' })), [
    'invalid: invalid MTU number: 65536',
  ]);
  assert.deepEqual(problemsOf('bridge', spec({ [`${key}driver.mtu`]: '67' })), ['invalid: invalid MTU number: 67']);
  assert.deepEqual(problemsOf('bridge', spec({ [`${key}driver.mtu`]: '68' })), []);
  const both = { ...spec({ [`${key}driver.mtu`]: '1279' }) };
  both.ipam = { ...both.ipam, v6: [{ subnet: 'fd00:1::/64' }] };
  assert.deepEqual(problemsOf('bridge', both), ['invalid: invalid MTU number: 1279 (IPv6 requires at least 1280)']);
  assert.deepEqual(problemsOf('bridge', spec({}, [...pools, ...pools])), [
    "forbidden: bridge driver doesn't support multiple subnets",
  ]);
  assert.deepEqual(problemsOf('bridge', { ...spec({}), ipam: { driver: 'default' } }), [
    'invalid: IPv4 or IPv6 must be enabled',
  ]);
  const unknown = { 'com.example.color': 'red', constructor: 'x', hasOwnProperty: 'y' };
  assert.deepEqual(problemsOf('bridge', spec({ [`${key}bridge.name`]: 'br0', ...unknown })), []);
});

test('the bridge driver rejects options that have no effect yet, and modes that need an internal network', () => {
  const key = 'com.docker.network.';
  const unsupported = {
    [`${key}host_ipv4`]: 'fd00::1',
  };
  for (const [name, value] of Object.entries(unsupported))
    assert.deepEqual(problemsOf('bridge', spec({ [name]: value })), [
      `not-implemented: option ${name} with value ${value} is not implemented yet`,
    ]);
  const accepted = {
    [`${key}host_ipv4`]: '192.0.2.1',
    [`${key}bridge.gateway_mode_ipv6`]: 'nat',
    [`${key}bridge.trusted_host_interfaces`]: 'eth0:wg0',
    [`${key}container_iface_prefix`]: 'net',
    'netyard.spoofing': 'allow',
  };
  assert.deepEqual(problemsOf('bridge', spec(accepted)), []);
  assert.deepEqual(problemsOf('bridge', spec({ [`${key}container_iface_prefix`]: 'a/b' })), [
    `invalid: failed to parse ${key}container_iface_prefix value: a/b (invalid interface name)`,
  ]);
  const peers = (value: string) => spec({ 'netyard.peers': value });
  assert.deepEqual([...problemsOf('bridge', peers('accept')), ...problemsOf('bridge', peers('drop'))], []);
  assert.deepEqual(problemsOf('bridge', peers('all')), [
    'invalid: failed to parse netyard.peers value: all (neither "accept" nor "drop")',
  ]);
  assert.deepEqual(problemsOf('bridge', { ...peers('accept'), internal: true }), [
    'invalid: option netyard.peers=accept has no effect on an internal network',
  ]);
  assert.deepEqual(problemsOf('bridge', spec({ 'netyard.spoofing': 'maybe' })), [
    'invalid: failed to parse netyard.spoofing value: maybe (neither "allow" nor "deny")',
  ]);
  assert.deepEqual(problemsOf('bridge', spec({ [`${key}bridge.trusted_host_interfaces`]: 'eth0:a"b' })), [
    `invalid: failed to parse ${key}bridge.trusted_host_interfaces value: eth0:a"b (invalid interface name "a\\"b")`,
  ]);
  const isolated = spec({ [`${key}bridge.gateway_mode_ipv4`]: 'isolated' });
  assert.deepEqual(problemsOf('bridge', isolated), [
    "failed: gateway mode 'isolated' can only be used for an internal network",
  ]);
  assert.deepEqual(problemsOf('bridge', { ...isolated, internal: true }), []);
});

test('a bridge has a name for an interface of its own', () => {
  const named = (name: string): string[] => problemsOf('bridge', spec({ 'com.docker.network.bridge.name': name }));
  for (const name of ['', 'br0', 'br-0a.10', 'a23456789012345']) assert.deepEqual(named(name), []);
  for (const name of ['all', 'default', '..', 'a/b', 'a b', '$(id)', 'x" . "y', 'a234567890123456'])
    assert.match(
      named(name)[0] ?? '',
      /^invalid: failed to parse .*bridge\.name value: .* \(invalid interface name\)$/,
    );
});

test('host and null have one network each', () => {
  assert.deepEqual(problemsOf('host', spec({})), ['forbidden: only one instance of "host" network is allowed']);
  assert.deepEqual(problemsOf('null', spec({})), ['forbidden: only one instance of "null" network is allowed']);
});

test('drivers are listed as docker info lists them', () => {
  assert.deepEqual(driverNames, ['bridge', 'host', 'ipvlan', 'macvlan', 'null', 'overlay']);
});

test('capabilities state what a driver cannot do', () => {
  const cannot = (name: string): string[] =>
    Object.entries(findDriver(name)?.capabilities ?? {}).flatMap(([what, can]) => (can ? [] : [what]));
  assert.deepEqual(cannot('bridge'), ['hostNamespace']);
  assert.deepEqual(cannot('macvlan'), ['hostInterface', 'ports', 'hostNamespace']);
  assert.deepEqual(cannot('ipvlan'), ['ownMac', 'hostInterface', 'ports', 'hostNamespace']);
  assert.deepEqual(cannot('host'), ['addresses', 'ownMac', 'hostInterface', 'ports', 'otherNetworks']);
  assert.deepEqual(cannot('null'), ['addresses', 'ownMac', 'hostInterface', 'ports', 'otherNetworks', 'hostNamespace']);
  assert.throws(() => driverOf({ name: 'lan', driver: 'weave' }), /network lan has the unknown driver weave/);
});

test('no setting of IPv6 is planned where the MTU is too small for the kernel to have it', () => {
  const settingsWith = (mtu: string): number => {
    const options = { 'com.docker.network.driver.mtu': mtu };
    const record = { id: 'f'.repeat(64), name: 'front', driver: 'bridge', ...spec(options) } as NetworkRecord;
    const planned = driverOf(record)
      .openPlanner(record)
      .planNetwork({ ipv6: true, ipForward: true } as HostFacts);
    return planned.filter((object) => object.kind === 'sysctl' && object.key.startsWith('net.ipv6.')).length;
  };
  assert.deepEqual(['68', '1279', '1280', '0'].map(settingsWith), [0, 0, 1, 1]);
});

test('a bridge network is planned with the smaller of its own MTU and the limit; other networks have no objects', () => {
  const record = { id: 'f'.repeat(64), name: 'front', driver: 'bridge', ...spec({}) } as NetworkRecord;
  const facts = { ipv6: true, ipForward: true } as HostFacts;
  const mtuWith = (limit?: number): unknown =>
    driverOf(record)
      .openPlanner(record, limit)
      .planNetwork(facts)
      .flatMap((object) => (object.kind === 'bridge' ? [[object.name, object.mtu]] : []));
  assert.deepEqual(mtuWith(), [['br-ffffffffffff', 1500]]);
  assert.deepEqual(mtuWith(1450), [['br-ffffffffffff', 1450]]);
  assert.deepEqual(mtuWith(9000), [['br-ffffffffffff', 1500]]);
  for (const driver of ['host', 'null'])
    assert.deepEqual(
      driverOf({ ...record, driver })
        .openPlanner(record)
        .planNetwork(facts),
      [],
    );
});
