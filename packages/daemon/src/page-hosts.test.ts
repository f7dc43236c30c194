import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterHost, KnownNetwork } from '@netyard/cluster';
import { remoteHosts } from './page-hosts.ts';

const host = (name: string, self = false): ClusterHost => ({
  ...{ name, self, address: '172.16.2.102', subnets: ['192.168.12.0/24'], since: 0n },
});

test('the other hosts of a cluster, with their parts of networks and their containers', () => {
  const parts = [{ host: 's2', subnets: ['10.0.1.0/24'] }];
  const network = { id: 'n1', name: 'front', internal: false, parts } as unknown as KnownNetwork;
  const cluster = {
    hosts: () => [host('s1', true), host('s2'), host('s3')],
    networks: () => [network],
    names: () => [
      { host: 's1', name: 'own', containerId: 'c0', address: '192.168.11.2' },
      { host: 's2', name: 'web', containerId: 'c1', address: '192.168.12.2' },
    ],
    endpoints: () => [
      { networkId: 'n1', host: 's2', containerId: 'c1', name: 'web', address: '10.0.1.2', names: ['web'] },
    ],
  };
  const [second, third, ...more] = remoteHosts(cluster);
  assert.deepEqual(second, {
    ...{ name: 's2', subnets: ['192.168.12.0/24'] },
    networks: [{ id: 'n1', name: 'front', subnets: ['10.0.1.0/24'], internal: false }],
    containers: [
      {
        ...{ id: 'c1', name: 'web' },
        endpoints: [
          { addresses: ['192.168.12.2'], names: ['web'] },
          { networkId: 'n1', addresses: ['10.0.1.2'], names: ['web'] },
        ],
      },
    ],
  });
  assert.deepEqual([third?.name, third?.networks, third?.containers, more], ['s3', [], [], []]);
});
