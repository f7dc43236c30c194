/** What of the host is not read again: after which changes, and which links are known then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkChange } from '@netyard/kernel';
import { type HostParts, KnownHost } from './known-host.ts';

const link = (name: string, prefix?: string): HostParts['links'][number] =>
  ({ name, addresses: prefix === undefined ? [] : [{ prefix }] }) as unknown as HostParts['links'][number];
const route = (to: string, name: string): HostParts['routes'][number] =>
  ({ to, link: name }) as unknown as HostParts['routes'][number];
const linkChange = (action: 'new' | 'del', name: string): NetworkChange => ({
  ...{ type: 'link', action, name, index: 9, up: true, mtu: 1500 },
});
const addressChange = (prefix: string): NetworkChange => ({
  ...{ type: 'address', action: 'new', author: 'self', prefix, linkIndex: 9 },
});
const routeChange = (to: string, table = 254): NetworkChange => ({
  ...{ type: 'route', action: 'new', author: 'self', family: 6, to, table, protocol: 2, kind: 'unicast' },
});

const host: HostParts = {
  links: [link('br0', '10.1.0.1/24'), link('ny-a', 'fe80::1/64'), link('ny-b')],
  routes: [route('10.1.0.0/24', 'br0'), route('fe80::/64', 'ny-a'), route('10.9.0.9/32', 'ny-b')],
};
const planned = new Set(['ny-a', 'ny-b', 'ny-c']);

function watched(): KnownHost {
  const known = new KnownHost();
  known.watch(true);
  assert.equal(known.take(planned), undefined);
  known.keep(host);
  return known;
}

const after = (changes: NetworkChange[], ofContainers: ReadonlySet<string> = planned): HostParts | undefined => {
  const known = watched();
  for (const change of changes) known.note(change);
  return known.take(ofContainers);
};

const names = (parts: HostParts | undefined): string[] | undefined => parts?.links.map(({ name }) => name);

test('links and routes are read again after changes of what is recorded, and not after those of containers', () => {
  assert.deepEqual(names(after([])), ['br0', 'ny-a', 'ny-b']);
  assert.deepEqual(
    after([])?.routes.map(({ to }) => to),
    ['10.1.0.0/24', '10.9.0.9/32'],
  );
  const ofStart = [linkChange('new', 'ny-c'), addressChange('fe80::2/64'), routeChange('fe80::/64')];
  assert.ok(after([...ofStart, routeChange('ff00::/8', 255), { type: 'nft-commit', author: 'self' }]));
  assert.equal(after([linkChange('new', 'dummy0')]), undefined);
  assert.equal(after([linkChange('new', 'ny-c')], new Set()), undefined, 'of no container');
  assert.equal(after([linkChange('del', 'br0')]), undefined);
  assert.equal(after([addressChange('10.1.0.2/24')]), undefined);
  assert.equal(after([routeChange('10.7.0.0/16')]), undefined);
  assert.equal(after([{ type: 'resync' }]), undefined);
});

test('a link that was deleted is no longer known; one with a route leads to an observation', () => {
  assert.deepEqual(names(after([linkChange('new', 'ny-a'), linkChange('del', 'ny-a')], new Set())), ['br0', 'ny-b']);
  assert.deepEqual(names(after([linkChange('del', 'ny-c')], new Set())), ['br0', 'ny-a', 'ny-b']);
  assert.equal(after([linkChange('del', 'ny-b')], new Set()), undefined);
  assert.equal(after([linkChange('new', 'ny-b')]), undefined, 'it may be down');
});

test('changes are counted once, and those during an observation for the next', () => {
  const known = watched();
  known.note(linkChange('del', 'ny-a'));
  assert.deepEqual(names(known.take(planned)), ['br0', 'ny-b']);
  assert.deepEqual(names(known.take(planned)), ['br0', 'ny-b']);
  known.note(routeChange('10.7.0.0/16'));
  assert.equal(known.take(planned), undefined);
  known.note(routeChange('10.8.0.0/16')); // while the host is observed
  known.keep(host);
  assert.equal(known.take(planned), undefined);
  known.keep(host);
  assert.ok(known.take(planned));
});

test('nothing is known without reports of changes, after a failed observation, and when everything is to be read', () => {
  const known = new KnownHost();
  known.keep(host);
  assert.equal(known.take(planned), undefined);
  const lost = watched();
  lost.watch(false);
  assert.equal(lost.take(planned), undefined);
  lost.keep(host);
  assert.equal(lost.take(planned), undefined);
  const failed = watched();
  failed.forget();
  assert.equal(failed.take(planned), undefined);
  assert.equal(failed.take(planned), undefined, 'the observation failed');
});
