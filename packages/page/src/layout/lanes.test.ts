import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerItem, NetworkItem, PageItem, PeerItem } from '../model.ts';
import { planLayout } from './lanes.ts';
import type { PlacedNode } from './nodes.ts';
import { nextNode } from './walk.ts';

const host = (name: string): PageItem => ({
  ...{ kind: 'host', id: `host:${name}`, name, version: '1', uplinks: [], problems: [] },
});

const network = (name: string, on = 'a'): NetworkItem => ({
  ...{ kind: 'network', id: `${on}/${name}`, host: `host:${on}`, name, driver: 'bridge', subnets: [] },
  ...{ internal: false, icc: true, problems: [] },
});

function container(name: string, networks: string[], more: Partial<ContainerItem> = {}): ContainerItem {
  const endpoints = networks.map((of) => ({ networkId: `a/${of}`, network: of, addresses: [], names: [] }));
  return {
    ...{ kind: 'container', id: name, host: 'host:a', name, image: 'i', state: 'running', mode: 'bridge' },
    ...{ endpoints, ports: [], links: [], problems: [] },
    ...more,
  };
}

const peer = (name: string): PeerItem => ({
  ...{ kind: 'peer', id: `peer:${name}`, host: 'host:a', name, address: '10.0.0.2', subnets: [], origin: 'request' },
  problems: [],
});

const nothing: ReadonlySet<string> = new Set();
const byId = (nodes: readonly PlacedNode[], id: string): PlacedNode => {
  const node = nodes.find((candidate) => candidate.id === id);
  assert.ok(node, `${id} is not placed`);
  return node;
};
const isInside = (inner: PlacedNode, outer: PlacedNode): boolean =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;
const overlap = (one: PlacedNode, other: PlacedNode): boolean =>
  one.x < other.x + other.width &&
  other.x < one.x + one.width &&
  one.y < other.y + other.height &&
  other.y < one.y + one.height;

const some = (): PageItem[] => [
  ...[host('b'), host('a'), network('front'), network('back'), network('front', 'b'), peer('p1'), peer('p2')],
  ...['web-10', 'web-9', 'web-1'].map((name) => container(name, ['front'])),
  container('db', ['back', 'front']),
  container('port', ['front'], {
    ports: ['0.0.0.0', '::'].map((hostAddress) => ({
      ...{ protocol: 'tcp', hostAddress, hostPort: 80, containerPort: 8080 },
    })),
  }),
  container('sidecar', [], { sharedWith: 'db', mode: 'container:db' }),
  container('of-host', [], { mode: 'host' }),
  container('alone', [], { mode: 'none' }),
];

test('cells are in their network, everything is in its host, and nothing of a kind overlaps', () => {
  const { nodes } = planLayout(some(), nothing);
  const homes: [string, string][] = [
    ['web-1', 'a/front'],
    ['db', 'a/back'],
    ['sidecar', 'a/back'],
    ['of-host', 'host:a/host'],
    ['alone', 'host:a/none'],
  ];
  for (const [id, home] of homes) assert.ok(isInside(byId(nodes, id), byId(nodes, home)), `${id} in ${home}`);
  const a = byId(nodes, 'host:a');
  for (const node of nodes) if (node.id !== 'host:b' && node.id !== 'b/front') assert.ok(isInside(node, a), node.id);
  for (const [index, one] of nodes.entries())
    for (const other of nodes.slice(index + 1))
      if (one.kind === other.kind) assert.ok(!overlap(one, other), `${one.id} and ${other.id}`);
});

test('containers are sorted by name, numbers by value; the order of the items does not matter', () => {
  const { nodes } = planLayout(some(), nothing);
  const [one, nine, ten] = ['web-1', 'web-9', 'web-10'].map((id) => byId(nodes, id));
  assert.ok(one && nine && ten && one.x < nine.x && (nine.x < ten.x || nine.y < ten.y));
  const places = (items: PageItem[]) =>
    planLayout(items, nothing)
      .nodes.map(({ id, x, y }) => `${id} ${x} ${y}`)
      .sort();
  assert.deepEqual(places(some().reverse()), places(some()));
});

test('a container that starts moves nothing in other networks before its own', () => {
  const before = planLayout(some(), nothing).nodes;
  const after = planLayout([...some(), container('web-2', ['front'])], nothing).nodes;
  for (const id of ['db', 'a/back', 'sidecar', 'host:b'])
    assert.deepEqual([byId(after, id).x, byId(after, id).y], [byId(before, id).x, byId(before, id).y], id);
});

test('a port of both families is one pin; further networks, links and pins have edges', () => {
  const linked = container('linked', ['front'], {
    links: [
      { id: 'db', name: 'db', alias: 'x' },
      { name: 'h/c', alias: 'y' },
    ],
  });
  const { nodes, edges } = planLayout([...some(), linked], nothing);
  assert.equal(nodes.filter(({ kind }) => kind === 'pin').length, 1);
  assert.deepEqual(edges.map(({ id }) => id).sort(), [
    'edge:port:port:80/tcp/8080',
    'link:linked:x',
    'member:db:a/front',
  ]);
});

test('a network with more than 40 containers is a grid of dots, unless it is expanded', () => {
  const many = Array.from({ length: 41 }, (_, index) => container(`c${index}`, ['front']));
  const kindOf = (items: PageItem[], expanded: ReadonlySet<string>) =>
    byId(planLayout(items, expanded).nodes, 'c0').kind;
  const base = [host('a'), network('front')];
  assert.equal(kindOf([...base, ...many], nothing), 'dot');
  assert.equal(kindOf([...base, ...many], new Set(['a/front'])), 'container');
  assert.equal(kindOf([...base, ...many.slice(0, 40)], nothing), 'container');
});

test('five hosts are two abreast', () => {
  const { nodes } = planLayout(['a', 'b', 'c', 'd', 'e'].map(host), nothing);
  assert.equal(new Set(nodes.map(({ x }) => x)).size, 2);
  assert.equal(new Set(nodes.map(({ y }) => y)).size, 3);
});

test('arrow keys reach every node', () => {
  const { nodes } = planLayout(some(), nothing);
  const reached = new Set([nodes[0]?.id ?? '']);
  for (const id of reached)
    for (const direction of ['left', 'right', 'up', 'down'] as const) reached.add(nextNode(nodes, id, direction) ?? '');
  assert.deepEqual([...reached].sort(), nodes.map(({ id }) => id).sort());
  assert.equal(nextNode(nodes, 'gone', 'up'), nodes[0]?.id);
});
