import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkRecord } from '../../contract.ts';
import type { HostFacts } from '../../model.ts';
import type { EndpointPlanInput } from '../driver.ts';
import { overlayDriver } from './driver.ts';

const record = (more: Partial<NetworkRecord> = {}): NetworkRecord => ({
  ...{
    id: 'f'.repeat(64),
    name: 'back',
    driver: 'overlay',
    created: 0n,
    internal: false,
    attachable: true,
    options: {},
  },
  ...{ labels: {}, predefined: false, cluster: { subnet: '10.128.0.0/16', partSize: 24 } },
  ipam: { driver: 'default', v4: [{ subnet: '10.128.7.0/24', gateway: '10.128.7.1' }] },
  ...more,
});

test('options without effect and those of bridge networks are rejected, and so are requested gateways', () => {
  const problems = (options: Record<string, string>, ipam: NetworkRecord['ipam'] = { driver: 'default', v4: [] }) =>
    overlayDriver.validate(record({ options, ipam })).map(({ code, message }) => `${code}: ${message}`);
  for (const options of [{}, { 'com.docker.network.driver.mtu': '1400' }, { encrypted: 'false' }, { x: 'y' }])
    assert.deepEqual(problems(options), []);
  assert.deepEqual(problems({ 'netyard.subnet-size': '26', 'netyard.spoofing': 'allow' }), []);
  const notYet = (what: string): string => `not-implemented: ${what} of overlay networks`;
  assert.deepEqual(problems({ encrypted: '' }), [`${notYet('option encrypted')} is not implemented yet`]);
  assert.deepEqual(problems({ 'com.docker.network.driver.overlay.vxlanid_list': '5' }), [
    `${notYet('option com.docker.network.driver.overlay.vxlanid_list')} is not implemented yet`,
  ]);
  assert.deepEqual(problems({ 'com.docker.network.bridge.enable_icc': 'false' }), [
    'invalid: option com.docker.network.bridge.enable_icc is for bridge networks, not for overlay networks',
  ]);
  assert.match(problems({ 'com.docker.network.driver.mtu': 'x' }).join(), /^invalid: failed to parse/);
  assert.match(problems({ 'netyard.subnet-size': '/26' }).join(), /^invalid: failed to parse/);
  const pool = { subnet: '10.9.0.0/16' };
  assert.deepEqual(problems({}, { driver: 'default', v4: [pool] }), []);
  for (const [v4, what] of [
    [[pool, { subnet: '10.8.0.0/16' }], 'several subnets'],
    [[{ ...pool, gateway: '10.9.0.1' }], 'requested gateways'],
    [[{ ...pool, range: '10.9.1.0/24' }], 'address ranges'],
    [[{ ...pool, auxAddresses: { a: '10.9.0.2' } }], 'auxiliary addresses'],
  ] as const)
    assert.deepEqual(problems({}, { driver: 'default', v4: [...v4] }), [`${notYet(what)} are not implemented yet`]);
  assert.deepEqual(problems({}, { driver: 'default', v4: [], v6: [] }), [
    `${notYet('IPv6 subnets')} are not implemented yet`,
  ]);
});

test('a container routes the whole subnet through the gateway of its part, also on an internal network', () => {
  const plan = (internal: boolean) => {
    const v4 = { address: '10.128.7.2', prefixLength: 24, ...(internal ? {} : { gateway: '10.128.7.1' }) };
    const endpoint = { link: 'eth1', hostLink: 'ny-1', mac: '02:42:0a:80:07:02', addresses: { v4 }, config: {} };
    return overlayDriver
      .openPlanner(record({ internal }))
      .planEndpoint({
        ...{
          endpoint,
          netnsPath: '/n',
          isGateway: { v4: false, v6: false },
          hasIpv6Ports: false,
          facts: { ipv6: false } as HostFacts,
        },
        owner: { kind: 'container', id: '1'.repeat(64), name: 'web' },
      } as unknown as EndpointPlanInput)
      .filter(({ kind }) => kind === 'route');
  };
  const route = { kind: 'route', ns: '/n', to: '10.128.0.0/16', via: '10.128.7.1', link: 'eth1' };
  for (const internal of [false, true]) assert.deepEqual(plan(internal), [route]);
});

test('packets of the whole subnet are accepted to the bridge, which masquerades its own part', () => {
  const elements = overlayDriver
    .openPlanner(record())
    .planNetwork({ ipv6: false, ipForward: true } as HostFacts)
    .flatMap((object) => (object.kind === 'nft-element' ? [`${object.set} ${object.key}`] : []));
  const bridge = '"br-ffffffffffff"';
  assert.ok(elements.includes('cluster_subnets 10.128.0.0/16'));
  assert.ok(elements.includes(`cluster_bridges ${bridge} . 10.128.0.0/16`));
  assert.ok(elements.includes('masqueraded_24 10.128.7.0'));
  assert.ok(!elements.includes(`peer_bridges ${bridge}`));
});
