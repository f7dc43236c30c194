/** Lanes of other hosts, and containers of other engines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PageItem } from '@netyard/page';
import type { HostContainer, HostNamespace, HostNetwork, HostTopology, NamespaceLink } from '@netyard/topology';
import { planOtherEngines } from './other-engines.ts';
import { maximumRemoteHosts, planRemoteHosts, type RemoteHost } from './remote-hosts.ts';

const remote = (name: string, more: Partial<RemoteHost> = {}): RemoteHost => ({
  ...{ name, subnets: ['192.168.12.0/24'], networks: [], containers: [], ...more },
});
const textOf = (item: PageItem): string => `${item.kind} ${item.id}`;

test('another host has a lane with what it publishes: its bridge, its parts of networks, their containers', () => {
  const front = { id: 'f0', name: 'front', subnets: ['10.0.1.0/24'], internal: true };
  const web = {
    ...{ id: 'c1', name: 'web' },
    endpoints: [
      { addresses: ['192.168.12.2'], names: ['web'] },
      { networkId: 'f0', addresses: ['10.0.1.2', 'fd00::2'], names: ['web', 'shop'] },
    ],
  };
  const items = planRemoteHosts([remote('s2', { networks: [front], containers: [web] })], new Set(['s2']));
  assert.deepEqual(items.map(textOf), [
    'host host:s2',
    'network host:s2/bridge',
    'network host:s2/f0',
    'container host:s2/c1',
  ]);
  assert.ok(items.every((item) => item.kind !== 'peer' && item.foreign === 'cluster'));
  assert.ok(items.every((item) => item.kind === 'network' || (item.kind !== 'peer' && item.canTrace)));
  const container = items.at(-1);
  assert.ok(container?.kind === 'container');
  assert.deepEqual(
    container.endpoints.map(({ networkId, network, addresses }) => [networkId, network, addresses]),
    [
      ['host:s2/bridge', 'bridge', ['192.168.12.2']],
      ['host:s2/f0', 'front', ['10.0.1.2', 'fd00::2']],
    ],
  );
});

test('a large cluster has a bounded number of lanes and containers, and says what is not shown', () => {
  const containers = Array.from({ length: 205 }, (_, index) => ({ id: `c${index}`, name: `c${index}`, endpoints: [] }));
  const hosts = Array.from({ length: 1000 }, (_, index) => remote(`s${index + 1000}`, { containers }));
  const items = planRemoteHosts(hosts.reverse(), new Set());
  const lanes = items.filter(({ kind }) => kind === 'host');
  assert.deepEqual([lanes.length, lanes[0]?.name], [maximumRemoteHosts, 's1000']);
  assert.ok(!items.some((item) => 'canTrace' in item), 'hosts that do not answer');
  assert.deepEqual(lanes[0]?.problems, ['5 more containers are not shown']);
  assert.equal(items.filter((item) => item.kind === 'container' && item.host === 'host:s1000').length, 200);
});

const link = (index: number, name: string, mac: string, more: object = {}): NamespaceLink =>
  ({ index, name, mac, addresses: [], ...more }) as unknown as NamespaceLink;
const container = (more: Partial<HostContainer>): HostContainer => ({
  ...{ engine: 'docker', id: 'd1', name: 'app', state: 'running', attachments: [], ports: [], exposed: [], links: [] },
  ...{ paused: false, ...more },
});
const attachment = { network: 'back', addresses: ['172.18.0.2/16'], aliases: ['app'], mac: '02:42:ac:12:00:02' };

const topology = {
  hostName: 'h',
  networks: [
    { engine: 'docker', id: 'n1', name: 'back', driver: 'bridge', link: 'br-n1', subnets: [], internal: false },
    { engine: 'docker', id: 'n2', name: 'unused', driver: 'bridge', subnets: [], internal: false },
    { engine: 'netyard', id: 'n3', name: 'back', driver: 'bridge', subnets: [], internal: false },
  ].map((network) => ({ ...network, icc: true, options: {} })) as HostNetwork[],
  containers: [
    container({ namespaceId: '7', attachments: [attachment] }),
    container({ engine: 'netyard', id: 'own', attachments: [attachment] }),
    container({ engine: 'namespace', id: '9', name: 'r1', namespaceId: '9' }),
    container({ engine: 'podman', id: 'p1', paused: true, networkMode: 'host' }),
  ],
  namespaces: [
    { id: '1', isHost: true, links: [link(5, 'veth5', '')] },
    {
      ...{ id: '7', isHost: false },
      links: [link(2, 'eth0', attachment.mac, { peer: { namespaceId: '1', index: 5 } })],
    },
  ] as unknown as HostNamespace[],
} as unknown as HostTopology;

test('containers of other engines and bare namespaces are items of this host; Netyard’s own are not repeated', () => {
  const items = planOtherEngines(topology, 'host:h');
  assert.deepEqual(items.map(textOf), [
    'network docker:network:n1',
    'container docker:d1',
    'container namespace:9',
    'container podman:p1',
  ]);
  const [network, app, bare, paused] = items;
  assert.deepEqual([network?.name, app?.kind === 'container' && app.foreign], ['docker/back', 'docker']);
  assert.deepEqual(app?.kind === 'container' && app.endpoints[0], {
    ...{ networkId: 'docker:network:n1', network: 'back', addresses: ['172.18.0.2'], names: ['app'] },
    ...{ mac: attachment.mac, hostLink: 'veth5' },
  });
  assert.deepEqual(bare?.kind === 'container' && [bare.mode, bare.state], ['namespace', 'running']);
  assert.deepEqual(paused?.kind === 'container' && [paused.mode, paused.state], ['host', 'paused']);
});
