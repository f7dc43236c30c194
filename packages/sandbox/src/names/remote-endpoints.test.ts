import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Asker, EndpointIndex, findEndpoints, findName } from '@netyard/dns';
import type { KnownPeer } from '@netyard/peers';
import type { RemoteEndpoint } from '../contract.ts';
import { RemoteEndpoints } from './remote-endpoints.ts';

const web: RemoteEndpoint = {
  ...{ networkId: 'n1', host: 'server2', containerId: 'c2', name: 'web', address: '10.128.9.2', names: ['web', 'app'] },
  project: 'p',
};
const dual: RemoteEndpoint = { ...web, ipv6Address: 'fd00:5:0:9::2' };
const checks = {
  networks: new Map([
    ['n1', { name: 'back', cluster: { subnet: '10.128.0.0/16', partSize: 24 } }],
    ['n2', { name: 'own' }],
  ]),
  peers: {
    findBySubnet: (address: string) =>
      (address.startsWith('10.128.9.') || address.startsWith('fd00:5:0:9:')
        ? { record: { name: 'server2/back', network: 'back' } }
        : address.startsWith('192.168.12.')
          ? { record: { name: 'server2' } }
          : undefined) as KnownPeer | undefined,
  },
};
const asker = (project?: string): Asker => ({
  networks: [{ id: 'n1', name: 'back', aliases: new Map() }],
  project,
});

function open() {
  const index = new EndpointIndex();
  index.set('c1', [{ containerId: 'c1', network: 'n1', names: ['web'], addresses: ['10.128.7.2'] }]);
  const remote = new RemoteEndpoints(index);
  const find = (name: string, project?: string): string[] =>
    findEndpoints(index, asker(project), name, (id) => (id === 'c1' ? 'q' : remote.projectOf(id)))
      .flatMap(({ addresses }) => addresses)
      .toSorted();
  const refresh = (...endpoints: RemoteEndpoint[]): void => {
    remote.invalidate();
    remote.refresh(endpoints, checks);
  };
  return { index, remote, find, refresh };
}

test('a name has the addresses of this host and of others, or those of the asker’s project', () => {
  const { index, find, refresh } = open();
  refresh(web);
  assert.deepEqual(find('web'), ['10.128.7.2', '10.128.9.2']);
  assert.deepEqual(find('app.back'), ['10.128.9.2']);
  assert.deepEqual(find('web', 'p'), ['10.128.9.2']);
  assert.deepEqual(find('web', 'q'), ['10.128.7.2']);
  assert.equal(findName(index, asker(), '10.128.9.2'), 'web.back');
  refresh({ ...web, address: '10.128.9.3' });
  assert.deepEqual(find('app'), ['10.128.9.3']);
  refresh();
  assert.deepEqual(find('app'), []);
  assert.deepEqual(find('web'), ['10.128.7.2'], 'this host’s own name stays');
});

test('a name has both addresses of a container with IPv6, each of which has the name', () => {
  const { index, find, refresh } = open();
  refresh(dual);
  assert.deepEqual(find('app'), ['10.128.9.2', 'fd00:5:0:9::2']);
  assert.equal(findName(index, asker(), 'fd00:5:0:9::2'), 'web.back');
  refresh({ ...dual, ipv6Address: 'fd00:5:0:9::3' });
  assert.deepEqual(find('app'), ['10.128.9.2', 'fd00:5:0:9::3']);
  refresh({ ...dual, ipv6Address: 'fd00:5:0:8::2' });
  assert.deepEqual(find('app'), ['10.128.9.2'], 'not an address in the part of another host');
  refresh({ ...dual, address: '10.128.7.2' });
  assert.deepEqual(find('app'), ['fd00:5:0:9::2']);
});

test('names with an address outside of the host’s part, or on a network of this host alone, are ignored', () => {
  const { find, refresh } = open();
  for (const bad of [
    { ...web, address: '10.128.7.2' },
    { ...web, address: '192.168.12.9' },
    { ...web, host: 'server3' },
    { ...web, networkId: 'n2' },
    { ...web, networkId: 'n3' },
  ]) {
    refresh(bad);
    assert.deepEqual(find('app'), [], JSON.stringify(bad));
  }
});

test('the id of another host’s container, or of one of this host, does not replace its names', () => {
  const { find, refresh } = open();
  refresh({ ...web, containerId: 'c1' });
  assert.deepEqual(find('web'), ['10.128.7.2', '10.128.9.2']);
  assert.deepEqual(find('web', 'q'), ['10.128.7.2']);
  refresh();
  assert.deepEqual(find('web'), ['10.128.7.2']);
});

test('nothing is compared again until something may have changed', () => {
  const { remote, find, refresh } = open();
  refresh(web);
  remote.refresh([], checks);
  assert.deepEqual(find('app'), ['10.128.9.2']);
  remote.invalidate();
  remote.refresh([], checks);
  assert.deepEqual(find('app'), []);
});
