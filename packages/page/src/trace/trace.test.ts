import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerItem, PageItem, TraceAnswer, TraceStepItem } from '../model.ts';
import { chooseEnd, emptyForm, requestOf } from './ends.ts';
import { planRoute } from './route.ts';

const container = (name: string): ContainerItem => ({
  ...{ kind: 'container', id: `id-${name}`, host: 'host:h', name, image: 'i', state: 'running', mode: 'bridge' },
  endpoints: [
    { networkId: 'n', network: 'bridge', link: 'eth0', hostLink: `ny-${name}`, addresses: ['10.0.0.2'], names: [] },
  ],
  ...{ ports: [], links: [], problems: [] },
});
const [a, b] = [container('a'), container('b')];
const host: PageItem = { kind: 'host', id: 'host:h', name: 'h', version: '1', uplinks: ['eth0'], problems: [] };
const network: PageItem = {
  ...{ kind: 'network', id: 'n', host: 'host:h', name: 'bridge', driver: 'bridge', link: 'docker0', subnets: [] },
  ...{ internal: false, icc: true, problems: [] },
};
const peer: PageItem = {
  ...{ kind: 'peer', id: 'peer:s', host: 'host:h', name: 's', address: '172.16.2.102', subnets: [] },
  ...{ origin: 'request', problems: [] },
};
const items = [host, network, a, b, peer];

const step = (place: string, name: string, state: TraceStepItem['state'], kind: TraceStepItem['kind'] = 'link') => ({
  ...{ place, name, state, kind },
});

const answer = (outcome: TraceAnswer['outcome'], steps: TraceStepItem[]): TraceAnswer => ({
  ...{ hostName: 'h', outcome, cause: 'x', sentence: 's', grade: 'observed', steps, answer: [], incomplete: [] },
});

const stopsOf = (traced: TraceAnswer): string[] => planRoute(traced, items).map(({ id, state }) => `${id} ${state}`);

test('the steps of a trace lead from node to node', () => {
  const reached = answer('reached', [
    step('a', 'eth0', 'seen'),
    step('h', 'ny-a', 'seen'),
    step('h', 'docker0', 'predicted', 'bridge'),
    step('h', 'ip netyard forward: accept (icc)', 'seen', 'rule'),
    step('h', 'ny-b', 'seen'),
    step('b', 'eth0', 'seen'),
    step('b', 'socket', 'predicted', 'socket'),
  ]);
  assert.deepEqual(stopsOf(reached), ['id-a passed', 'n passed', 'id-b passed']);
});

test('bridges of segments and their pairs are the network, and no detour by the host', () => {
  const large = { ...network, segmentLinks: ['nybseg', 'nytseg', 'nyuseg'] };
  const steps = [
    ...[step('a', 'eth0', 'seen'), step('h', 'ny-a', 'seen'), step('h', 'nybseg', 'predicted', 'bridge')],
    ...[step('h', 'nyuseg', 'seen'), step('h', 'nytseg', 'seen'), step('h', 'docker0', 'predicted', 'bridge')],
    ...[step('h', 'ny-b', 'seen'), step('b', 'eth0', 'seen')],
  ];
  const stops = planRoute(answer('reached', steps), [host, large, a, b]).map(({ id }) => id);
  assert.deepEqual(stops, ['id-a', 'n', 'id-b']);
});

test('a packet stops where a rule drops it, or behind the last node that saw it', () => {
  const dropped = answer('not-reached', [
    step('a', 'eth0', 'seen'),
    step('h', 'docker0', 'predicted', 'bridge'),
    step('h', 'ip filter FORWARD: drop', 'dropped', 'rule'),
    step('b', 'eth0', 'missing'),
  ]);
  assert.deepEqual(stopsOf(dropped), ['id-a passed', 'n stopped', 'id-b missing']);
  const early = answer('not-reached', [
    step('a', 'eth0', 'seen'),
    step('h', 'ny-a', 'seen'),
    step('h', 'ip guard before: drop', 'dropped', 'rule'),
    step('h', 'docker0', 'missing', 'bridge'),
  ]);
  assert.deepEqual(stopsOf(early), ['id-a passed', 'host:h stopped', 'n missing']);
  const lost = answer('not-reached', [step('a', 'eth0', 'seen'), step('h', 'docker0', 'missing', 'bridge')]);
  assert.deepEqual(stopsOf(lost), ['id-a stopped', 'n missing']);
  const left = answer('unknown', [step('a', 'eth0', 'seen'), step('h', 'eth0', 'seen'), step('s', 'eth0', 'missing')]);
  assert.deepEqual(stopsOf(left), ['id-a passed', 'host:h stopped', 'peer:s missing']);
});

test('a trace to another host leads through its peer and its lane to the container', () => {
  const lane: PageItem = { ...host, id: 'host:s', name: 's', foreign: 'cluster' };
  const far: PageItem = { ...network, id: 'host:s/bridge', host: 'host:s', foreign: 'cluster' };
  const front: PageItem = { ...far, id: 'host:s/0123456789abcdef', name: 'front' };
  const web = { ...container('web'), id: 'host:s/c', host: 'host:s', foreign: 'cluster' as const };
  const there = (place: string, name: string, state: TraceStepItem['state'], more: Partial<TraceStepItem> = {}) => ({
    ...{ ...step(place, name, state), host: 's', ...more },
  });
  const steps = (bridge: string, last: TraceStepItem['state']): TraceStepItem[] => [
    step('a', 'eth0', 'seen'),
    step('h', 'docker0', 'predicted', 'bridge'),
    { ...step('h', 'eth0', 'seen'), direction: 'out' },
    there('s', 'eth0', 'seen', { direction: 'in' }),
    there('s', 'default via', 'predicted', { kind: 'route' }),
    there('s', bridge, 'predicted', { kind: 'bridge' }),
    there('s', 'ny-web', 'seen', { direction: 'out' }),
    there('s/web', 'eth0', last, { direction: 'in' }),
  ];
  const all = [...items, lane, far, front, web];
  const ids = (traced: TraceAnswer, of: readonly PageItem[]): string[] =>
    planRoute(traced, of).map(({ id, state }) => `${id} ${state}`);
  assert.deepEqual(ids(answer('reached', steps('docker0', 'seen')), all), [
    ...['id-a passed', 'n passed', 'host:h passed', 'peer:s passed', 'host:s passed', 'host:s/bridge passed'],
    'host:s/c passed',
  ]);
  assert.deepEqual(ids(answer('not-reached', steps('br-0123456789ab', 'missing')), all).slice(-3), [
    ...['host:s passed', 'host:s/0123456789abcdef stopped', 'host:s/c missing'],
  ]);
  // A peer without a lane is where the path ends.
  assert.deepEqual(ids(answer('reached', steps('docker0', 'seen')), items).slice(-2), [
    'host:h passed',
    'peer:s passed',
  ]);
  const rule = there('s', 'ip filter INPUT: drop', 'dropped', { kind: 'rule' });
  const dropped = answer('not-reached', [...steps('docker0', 'missing').slice(0, 4), rule]);
  assert.deepEqual(ids(dropped, all).slice(-2), ['peer:s passed', 'host:s stopped']);
});

test('other hosts are named where they can be asked, and their containers have addresses where they cannot', () => {
  const first = chooseEnd(emptyForm, a);
  const web = { ...container('web'), host: 'host:s', foreign: 'cluster' as const };
  const lane: PageItem = { ...host, id: 'host:s', name: 's', foreign: 'cluster' };
  assert.equal(chooseEnd(first, web).to, '10.0.0.2');
  assert.equal(chooseEnd(first, { ...web, canTrace: true }).to, 's/web');
  assert.deepEqual(chooseEnd(first, lane), first);
  assert.equal(chooseEnd(first, { ...lane, canTrace: true }).to, 's/host');
  assert.equal(chooseEnd(first, { ...peer, canTrace: true }).to, 's/host');
  assert.equal(requestOf({ from: 'netyard/a', to: 's/web', port: '80' })?.to, 's/web');
});

test('two clicks fill the form, a third one begins anew; networks send nothing', () => {
  const first = chooseEnd(emptyForm, a);
  assert.deepEqual(first, { from: 'netyard/a', to: '', port: '' });
  assert.deepEqual(chooseEnd(first, network), first);
  const second = chooseEnd(first, b);
  assert.deepEqual(second, { from: 'netyard/a', to: 'netyard/b', port: '' });
  assert.deepEqual(chooseEnd(second, b), { from: 'netyard/b', to: '', port: '' });
  assert.equal(chooseEnd(first, peer).to, '172.16.2.102');
  const port = { protocol: 'tcp' as const, hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80 };
  const pin = { ...{ id: 'p', x: 0, y: 0, width: 1, height: 1 }, kind: 'pin' as const, item: b, port };
  assert.deepEqual(chooseEnd(first, b, pin), { from: 'netyard/a', to: 'host', port: '8080/tcp' });
});

test('a form asks for an echo, a connection or a datagram', () => {
  const form = { from: 'netyard/a', to: ' db ', port: '' };
  assert.deepEqual(requestOf(form), { from: 'netyard/a', to: 'db', protocol: 'icmp' });
  assert.deepEqual(requestOf({ ...form, port: '80' }), { from: 'netyard/a', to: 'db', port: 80, protocol: 'tcp' });
  assert.deepEqual(requestOf({ ...form, port: '53/udp' }), { from: 'netyard/a', to: 'db', port: 53, protocol: 'udp' });
  for (const port of ['0', '65536', '80/icmp', 'http']) assert.equal(requestOf({ ...form, port }), undefined, port);
  assert.equal(requestOf({ ...form, to: '' }), undefined);
});
