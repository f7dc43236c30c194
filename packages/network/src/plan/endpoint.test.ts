import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointState } from '../contract.ts';
import type { BridgeSettings } from './bridge-settings.ts';
import { planVeth } from './endpoint.ts';

test('a container with a long name has a link whose alias the kernel takes', () => {
  const veth = planVeth({
    containerId: 'c045c82e85bd620eb9444275b135634a9248760e2061505a1c8b4167e9b24b3d',
    containerName: 'a'.repeat(300),
    netnsPath: '/run/netns/ny-c045c82e85bd',
    endpoint: { hostLink: 'ny-36a6c6bf1301', link: 'eth0', mac: '02:42:ac:11:00:02' } as EndpointState,
    bridge: { link: 'docker0', networkName: 'bridge', mtu: 1500 } as BridgeSettings,
    isGateway: true,
    facts: { bridgeNetfilter: false },
  } as Parameters<typeof planVeth>[0]);
  assert.equal(veth.owner?.length, 255);
  assert.match(veth.owner, /^netyard: container a+ \(c045c82e85bd\) on bridge$/);
});
