import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeSettings, HostFacts } from '../../model.ts';
import { segmentLinks, segmentOfLink } from '../../object-names.ts';
import { masterOf, planSegment } from './segment.ts';

const bridge = {
  ...{ networkId: `0123456789ab${'c'.repeat(52)}`, networkName: 'large', link: 'br-0123456789ab', mtu: 1450 },
  ...{ internal: false, icc: true },
} as BridgeSettings;
const facts = { ipv6: true, ipForward: true, bridgeNetfilter: false, bridgeNetfilter6: false } as HostFacts;

test('a segment has a bridge without the host’s services, and a pair that joins it to the network’s own', () => {
  assert.deepEqual(planSegment(bridge, 37, facts), [
    {
      ...{ kind: 'bridge', name: 'nyb012345678911', mac: '02:42:ff:01:00:25', mtu: 1450, up: true },
      owner: 'netyard: segment 37 of network large (0123456789ab)',
    },
    { kind: 'sysctl', key: 'net.ipv6.conf.nyb012345678911.disable_ipv6', value: '1' },
    { kind: 'sysctl', key: 'net.ipv4.conf.nyb012345678911.arp_ignore', value: '8' },
    { kind: 'sysctl', key: 'net.ipv4.conf.nyb012345678911.rp_filter', value: '1' },
    { kind: 'sysctl', key: 'net.ipv4.conf.nyb012345678911.forwarding', value: '0' },
    {
      ...{ kind: 'veth', name: 'nyt012345678911', mtu: 1450, master: 'br-0123456789ab', up: true },
      owner: 'netyard: segment 37 of network large (0123456789ab)',
      peer: { name: 'nyu012345678911', master: 'nyb012345678911', up: true },
    },
  ]);
});

test('settings that the host does not have are not planned', () => {
  const keys = planSegment({ ...bridge, mtu: 1000 }, 1, { ...facts, ipForward: false }).flatMap((object) =>
    object.kind === 'sysctl' ? [object.key] : [],
  );
  assert.deepEqual(keys, ['net.ipv4.conf.nyb012345678901.arp_ignore', 'net.ipv4.conf.nyb012345678901.rp_filter']);
});

test('relayed ports are denied to a segment of an internal network with IPv6', () => {
  const v6 = { subnet: 'fd00::/64' } as NonNullable<BridgeSettings['v6']>;
  const elements = planSegment({ ...bridge, internal: true, v6 }, 1, facts).filter(
    ({ kind }) => kind === 'nft-element',
  );
  assert.equal(elements.length, 1);
  assert.match(JSON.stringify(elements), /relay_denied_ports.*nyt012345678901/);
});

test('names of a segment’s interfaces lead back to it', () => {
  for (const segment of [1, 35, 36, 511])
    for (const link of Object.values(segmentLinks(bridge.networkId, segment))) {
      assert.ok(link.length <= 15, link);
      assert.deepEqual(segmentOfLink(link), { networkPrefix: '0123456789', segment });
    }
  for (const link of ['ny-0123456789ab', 'nyb0123', 'docker0', 'br-0123456789ab', 'nyx012345678901'])
    assert.equal(segmentOfLink(link), undefined);
});

test('an endpoint’s port is on its segment, with br_netfilter on the network’s own bridge', () => {
  assert.equal(masterOf(bridge, {}, facts), 'br-0123456789ab');
  assert.equal(masterOf(bridge, { segment: 2 }, facts), 'nyb012345678902');
  for (const setting of ['bridgeNetfilter', 'bridgeNetfilter6'])
    assert.equal(masterOf(bridge, { segment: 2 }, { ...facts, [setting]: true }), 'br-0123456789ab');
});
