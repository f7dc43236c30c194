import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from '../../contract.ts';
import type { HostFacts } from '../../model.ts';
import type { EndpointPlanInput } from '../driver.ts';
import { macvlanDriver } from './driver.ts';

const record = (options: Record<string, string>): NetworkRecord =>
  ({
    ...{ id: 'f'.repeat(64), name: 'lan', driver: 'macvlan', internal: false, options },
    ipam: { driver: 'default', v4: [{ subnet: '192.0.2.0/24' }] },
  }) as unknown as NetworkRecord;
const problemsOf = (options: Record<string, string>): string[] =>
  macvlanDriver.validate(record(options)).map(({ code, message }) => `${code}: ${message}`);

test('invalid options are rejected with the messages of Docker', () => {
  assert.deepEqual(problemsOf({ parent: 'up0' }), []);
  for (const mode of ['', 'bridge', 'private', 'vepa', 'passthru'])
    assert.deepEqual(problemsOf({ parent: 'up0', macvlan_mode: mode }), []);
  assert.deepEqual(problemsOf({ parent: 'up0', macvlan_mode: 'source' }), [
    "failed: requested macvlan mode 'source' is not valid, 'bridge' mode is the macvlan driver default",
  ]);
  assert.deepEqual(problemsOf({ parent: 'lo' }), ['failed: loopback interface is not a valid macvlan parent link']);
  assert.deepEqual(problemsOf({ parent: 'up0', 'com.docker.network.driver.mtu': '65536' }), [
    'invalid: invalid MTU number: 65536',
  ]);
  assert.deepEqual(problemsOf({ parent: 'up0', 'com.docker.network.driver.mtu': '9k' }), [
    'invalid: invalid MTU number: 9k',
  ]);
});

test('an endpoint is an interface on the parent, with a default route only through a requested gateway', () => {
  const plan = (gateway?: string): unknown => {
    const v4 = { address: '192.0.2.66', prefixLength: 24, ...(gateway === undefined ? {} : { gateway }) };
    const endpoint = { link: 'eth0', hostLink: '', mac: '02:42:c0:00:02:42', addresses: { v4 }, config: {} };
    return macvlanDriver.openPlanner(record({ parent: 'up0', macvlan_mode: 'vepa' })).planEndpoint({
      endpoint,
      netnsPath: '/n',
      isGateway: { v4: true, v6: true },
      hasIpv6Ports: true,
      facts: { ipv6: true } as HostFacts,
    } as EndpointPlanInput);
  };
  const objects = [
    {
      ...{ kind: 'macvlan', ns: '/n', name: 'eth0', parent: 'up0', mode: 'vepa' },
      ...{ mac: '02:42:c0:00:02:42', up: true },
    },
    { kind: 'sysctl', ns: '/n', key: 'net.ipv6.conf.eth0.disable_ipv6', value: '1' },
    { kind: 'address', ns: '/n', link: 'eth0', prefix: '192.0.2.66/24', broadcast: '192.0.2.255' },
  ];
  const route = { kind: 'route', ns: '/n', to: 'default', family: 4, via: '192.0.2.1', link: 'eth0' };
  assert.deepEqual(plan(), objects);
  assert.deepEqual(plan('192.0.2.1'), [...objects, route]);
});
