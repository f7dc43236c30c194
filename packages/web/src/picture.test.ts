import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerConfig, ContainerRecord, ContainerSummary } from '@netyard/engine';
import type { NetworkRecord } from '@netyard/network';
import type { ContainerItem, NetworkItem, PageItem } from '@netyard/page';
import type { PeerState } from '@netyard/peers';
import { segmentLinksIn } from './open.ts';
import { type PictureInput, planPicture } from './picture.ts';

const network = (id: string, more: Partial<NetworkRecord> = {}): NetworkRecord => ({
  ...{ id, name: `net-${id}`, driver: 'bridge', created: 0n, internal: false, attachable: false },
  ...{
    ipam: { driver: 'default', v4: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }] },
    options: {},
    labels: {},
    predefined: false,
  },
  ...more,
});

const state: ContainerRecord['state'] = {
  ...{ status: 'running', pid: 1, exitCode: 0, error: '', oomKilled: false, restartCount: 0, stoppedByUser: false },
  ...{ startedAt: 0n, finishedAt: undefined },
};

function summary(more: Partial<ContainerSummary>, changes: Partial<ContainerRecord['state']> = {}): ContainerSummary {
  const record: ContainerRecord = {
    ...{
      id: 'c1',
      name: 'web',
      created: 0n,
      config: { image: 'nginx' } as ContainerConfig,
      imageId: '',
      layers: [],
      mounts: [],
    },
    process: { args: [], env: [], workingDirectory: '/', user: '' },
    state: { ...state, ...changes },
  };
  return { record, names: ['/web'], statusText: '', network: undefined, endpoints: [], ports: [], ...more };
}

const running: ContainerSummary['network'] = {
  id: 's',
  files: { hosts: '', hostname: '', resolvConf: '' },
  endpoints: [
    {
      ...{ id: 'e', networkId: 'n1', networkName: 'net-n1', link: 'eth0', hostLink: 'ny1', mac: '02:42:0a:00:00:02' },
      addresses: { v4: { address: '10.0.0.2', prefixLength: 24 } },
      ...{ aliases: [], dnsNames: ['web'], config: { network: 'net-n1' } },
    },
  ],
  ports: [{ protocol: 'tcp', containerPort: 80, hostAddress: '0.0.0.0', hostPort: 8080 }],
};

function picture(more: Partial<PictureInput>): PageItem[] {
  return planPicture({
    host: { name: 'host1', version: '1' },
    networks: [network('n1')],
    networkLink: () => 'br1',
    segmentLinks: () => [],
    containers: [],
    links: () => [],
    mode: () => ({ kind: 'bridge' }),
    peers: [],
    reachablePeers: new Set(),
    interfaces: new Map([
      ['br1', { mtu: 1400, up: true }],
      ['ny1', { mtu: 1400, up: true }],
    ]),
    uplinks: ['eth0'],
    warnings: [],
    ...more,
  });
}

const containerOf = (items: PageItem[]): ContainerItem => {
  const item = items.find(({ kind }) => kind === 'container');
  assert.ok(item?.kind === 'container');
  return item;
};

test('a running container has the addresses, names, interface and ports of its endpoints', () => {
  const link = { parentId: 'c1', childId: 'c2', alias: 'db', targetName: 'database' };
  const remote = {
    ...link,
    childId: 'host2/x',
    alias: 'far',
    targetName: 'host2/x',
    remote: { host: 'host2', name: 'x' },
  };
  const item = containerOf(
    picture({ containers: [summary({ network: running })], links: () => [link, remote as never] }),
  );
  assert.deepEqual(item, {
    ...{
      kind: 'container',
      id: 'c1',
      host: 'host:host1',
      name: 'web',
      image: 'nginx',
      state: 'running',
      mode: 'bridge',
    },
    endpoints: [
      {
        ...{ networkId: 'n1', network: 'net-n1', link: 'eth0', hostLink: 'ny1', mac: '02:42:0a:00:00:02' },
        ...{ addresses: ['10.0.0.2'], names: ['web'] },
      },
    ],
    ports: [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 }],
    links: [
      { id: 'c2', name: 'database', alias: 'db' },
      { name: 'host2/x', alias: 'far' },
    ],
    problems: [],
  });
});

test('a network has its segments’ interfaces, and reports those that are down', () => {
  const id = '0123456789'.padEnd(64, 'a');
  const interfaces = new Map(
    ['br1', 'nyb012345678901', 'nyt012345678901', 'nyu012345678901', 'nyb999999999901', 'nybox'].map((name) => [
      name,
      { mtu: 1500, up: !name.startsWith('nyu') },
    ]),
  );
  const segmentLinks = segmentLinksIn([...interfaces.keys()].map((name) => ({ name })));
  const [, large, small] = picture({ networks: [network(id), network('n1')], segmentLinks, interfaces });
  assert.ok(large?.kind === 'network' && small?.kind === 'network');
  assert.deepEqual(large.segmentLinks, ['nyb012345678901', 'nyt012345678901', 'nyu012345678901']);
  assert.deepEqual(large.problems, ['interface nyu012345678901 is down']);
  assert.deepEqual([small.segmentLinks, small.problems], [undefined, []]);
});

test('a stopped container has the networks of its next start, and why it ended', () => {
  const endpoints = [
    { networkId: 'n1', config: { network: 'n1', aliases: ['w'] } },
    { networkId: '', config: { network: 'gone' } },
  ];
  const item = containerOf(picture({ containers: [summary({ endpoints }, { status: 'exited', exitCode: 3 })] }));
  assert.deepEqual(item.endpoints, [
    { networkId: 'n1', network: 'net-n1', addresses: [], names: ['w'] },
    { networkId: '', network: 'gone', addresses: [], names: [] },
  ]);
  assert.deepEqual(item.problems, ['exited with status 3']);
});

test('interfaces that are missing or down are problems', () => {
  const interfaces = new Map([['br1', { mtu: 1400, up: false }]]);
  const items = picture({ containers: [summary({ network: running })], interfaces });
  assert.deepEqual(
    items.map(({ kind, problems }) => [kind, problems]),
    [
      ['host', []],
      ['network', ['interface br1 is down']],
      ['container', ['interface ny1 does not exist']],
    ],
  );
});

test('networks without members are omitted; the others have observed MTU and options', () => {
  const options = { 'com.docker.network.bridge.enable_icc': 'false' };
  const networks = [
    network('n1', { options, internal: true }),
    network('host', { driver: 'host' }),
    network('none', { driver: 'null' }),
    network('config', { configuration: { driver: 'default' } }),
  ];
  const items = picture({ networks }).filter((item): item is NetworkItem => item.kind === 'network');
  assert.deepEqual(
    items.map(({ id, icc, internal, mtu, link }) => ({ id, icc, internal, mtu, link })),
    [{ id: 'n1', icc: false, internal: true, mtu: 1400, link: 'br1' }],
  );
});

test('a peer has its path, and none while it is unreachable; those of one network are omitted', () => {
  const record = { name: 'p', address: '10.9.0.2', subnets: ['10.2.0.0/24'], via: 'auto', created: 0n } as const;
  const peer = (more: Partial<PeerState>): PeerState => ({
    ...{ record: { ...record, subnets: [...record.subnets] }, origin: 'request', routes: [], open: true },
    ...{ packets: { in: 0n, out: 0n }, problems: [] },
    ...more,
  });
  const path = {
    kind: 'vxlan',
    link: 'ny-vxlan',
    gateway: '',
    uplink: 'eth0',
    local: '',
    shared: false,
    mtu: 1450,
  } as const;
  const ofNetwork = { ...record, subnets: [...record.subnets], network: 'n1' };
  const peers = [peer({ path }), peer({ problems: ['no path'] }), peer({ record: ofNetwork })];
  const reachable = picture({ peers: [peer({ path })], reachablePeers: new Set(['p']) });
  assert.equal(reachable.find((item) => item.kind === 'peer')?.canTrace, true);
  const items = picture({ peers }).filter(({ kind }) => kind === 'peer');
  const base = {
    kind: 'peer',
    id: 'peer:p',
    host: 'host:host1',
    name: 'p',
    address: '10.9.0.2',
    subnets: ['10.2.0.0/24'],
  };
  assert.deepEqual(items, [
    { ...base, origin: 'request', via: 'vxlan', link: 'ny-vxlan', mtu: 1450, problems: [] },
    { ...base, origin: 'request', problems: ['no path'] },
  ]);
});
