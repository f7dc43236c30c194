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
    [[pool, { subnet: '10.8.0.0/16' }], 'several subnets per family'],
    [[{ ...pool, gateway: '10.9.0.1' }], 'requested gateways'],
    [[{ ...pool, range: '10.9.1.0/24' }], 'address ranges'],
    [[{ ...pool, auxAddresses: { a: '10.9.0.2' } }], 'auxiliary addresses'],
  ] as const)
    assert.deepEqual(problems({}, { driver: 'default', v4: [...v4] }), [`${notYet(what)} are not implemented yet`]);
  assert.deepEqual(problems({}, { driver: 'default', v4: [], v6: [] }), []);
  assert.deepEqual(problems({}, { driver: 'default', v4: [pool], v6: [{ subnet: 'fd00:5::/48' }] }), []);
  assert.deepEqual(problems({}, { driver: 'default', v4: [pool], v6: [{ subnet: '', gateway: 'fd00:5::1' }] }), [
    `${notYet('requested gateways')} are not implemented yet`,
  ]);
  assert.deepEqual(problems({}, { driver: 'default', v6: [] }), [
    'not-implemented: overlay networks without IPv4 are not implemented yet',
  ]);
});

const dual = {
  cluster: { subnet: '10.128.0.0/16', partSize: 24, ipv6: { subnet: 'fd00:5::/48', partSize: 64 } },
  ipam: {
    driver: 'default',
    v4: [{ subnet: '10.128.7.0/24', gateway: '10.128.7.1' }],
    v6: [{ subnet: 'fd00:5:0:7::/64', gateway: 'fd00:5:0:7::1' }],
  },
};

test('a container routes the whole subnets through the gateways of its parts, also on an internal network', () => {
  const plan = (
    internal: boolean,
    more: Partial<NetworkRecord> = {},
    v6?: { address: string; prefixLength: number },
  ) => {
    const v4 = { address: '10.128.7.2', prefixLength: 24, ...(internal ? {} : { gateway: '10.128.7.1' }) };
    const addresses = { v4, ...(v6 && { v6 }) };
    const endpoint = { link: 'eth1', hostLink: 'ny-1', mac: '02:42:0a:80:07:02', addresses, config: {} };
    return overlayDriver
      .openPlanner(record({ internal, ...more }))
      .planEndpoint({
        ...{
          endpoint,
          netnsPath: '/n',
          isGateway: { v4: false, v6: false },
          hasIpv6Ports: false,
          facts: { ipv6: v6 !== undefined } as HostFacts,
        },
        owner: { kind: 'container', id: '1'.repeat(64), name: 'web' },
      } as unknown as EndpointPlanInput)
      .filter(({ kind }) => kind === 'route');
  };
  const route = { kind: 'route', ns: '/n', to: '10.128.0.0/16', via: '10.128.7.1', link: 'eth1' };
  const route6 = { kind: 'route', ns: '/n', to: 'fd00:5::/48', via: 'fd00:5:0:7::1', link: 'eth1' };
  for (const internal of [false, true]) {
    assert.deepEqual(plan(internal), [route]);
    assert.deepEqual(plan(internal, dual, { address: 'fd00:5:0:7::2', prefixLength: 64 }), [route, route6]);
    assert.deepEqual(plan(internal, dual), [route], 'a container without IPv6');
  }
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

test('those of IPv6 are in the table of IPv6, where its part is masqueraded', () => {
  const elements = overlayDriver
    .openPlanner(record(dual))
    .planNetwork({ ipv6: true, ipForward: true } as HostFacts)
    .flatMap((object) => (object.kind === 'nft-element' ? [`${object.family} ${object.set} ${object.key}`] : []));
  const bridge = '"br-ffffffffffff"';
  for (const [family, whole] of [
    ['ip', '10.128.0.0/16'],
    ['ip6', 'fd00:5::/48'],
  ])
    for (const text of [`cluster_subnets ${whole}`, `cluster_bridges ${bridge} . ${whole}`, `bridges ${bridge}`])
      assert.ok(elements.includes(`${family} ${text}`), text);
  assert.ok(elements.includes('ip6 masqueraded_64 fd00:5:0:7::'));
  assert.ok(!elements.some((text) => text.includes('peer_bridges')));
});
