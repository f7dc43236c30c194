import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointState } from '../../contract.ts';
import type { BridgeSettings } from '../../model.ts';
import { ownerText } from '../../object-names.ts';
import { planVeth } from './endpoint.ts';

const vethOf = (containerName: string, networkName: string, { mtu = 1500, ipv6 = true } = {}) =>
  planVeth(
    { link: 'docker0', networkName, mtu } as BridgeSettings,
    {
      owner: {
        kind: 'container',
        id: 'c045c82e85bd620eb9444275b135634a9248760e2061505a1c8b4167e9b24b3d',
        name: containerName,
      },
      netnsPath: '/run/netns/ny-c045c82e85bd',
      endpoint: { hostLink: 'ny-36a6c6bf1301', link: 'eth0', mac: '02:42:ac:11:00:02' } as EndpointState,
      isGateway: { v4: true, v6: true },
      hasIpv6Ports: true,
      facts: { bridgeNetfilter: false, bridgeNetfilter6: false, ipv6 },
    } as Parameters<typeof planVeth>[1],
  );

test('the owner text of a container with a long name fits into the interface alias', () => {
  const { owner = '' } = vethOf('a'.repeat(300), 'bridge');
  assert.equal(owner.length, 254);
  assert.match(owner, /^netyard: container a+ \(c045c82e85bd\) on bridge$/);
});

test('an owner text fits for every length of the names of container and network', () => {
  for (const [container, network] of [
    [1, 1000],
    [211, 1],
    [212, 6],
    [1000, 1000],
  ] as const) {
    const { owner = '' } = vethOf('c'.repeat(container), 'n'.repeat(network));
    assert.ok(owner.length <= 254 && owner.startsWith('netyard: container c'), owner);
    assert.match(owner, / \(c045c82e85bd\) on n+$/);
  }
  for (const count of [1, 26, 27, 28, 90])
    assert.ok(Buffer.byteLength(ownerText('network 数'.repeat(count), ` (${'数'.repeat(count)})`)) <= 254);
  assert.equal(ownerText('network \ud800x', ' (1)'), 'netyard: network \ufffdx (1)', 'as the kernel returns it');
});

test("IPv6 is disabled on the host's end where the kernel has settings of it", () => {
  assert.equal(vethOf('web', 'front').disableIpv6, true);
  assert.equal(vethOf('web', 'front', { mtu: 1280 }).disableIpv6, true);
  assert.equal(vethOf('web', 'front', { mtu: 1279 }).disableIpv6, undefined);
  assert.equal(vethOf('web', 'front', { ipv6: false }).disableIpv6, undefined);
});
