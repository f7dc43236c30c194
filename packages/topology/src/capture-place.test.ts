/** The interface on which packets of a target are captured. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { findCapturePlace } from './capture-place.ts';
import type { HostTopology } from './model.ts';

const link = (name: string, ...addresses: string[]) => ({ name, addresses, index: 1, mac: '02:00:00:00:00:01' });
const route = (name: string) => ({ family: 4, to: 'default', link: name, table: 254, type: 'unicast', protocol: 3 });
const container = (name: string, more: object) => ({
  ...{ engine: 'docker', id: 'c045c82e85bd0123', name, attachments: [], pid: 1, ...more },
});
const network = (engine: string, name: string, bridge?: string) => ({ engine, name, id: name, link: bridge });
const host = {
  containers: [
    container('web', { namespaceId: '2' }),
    container('job', { pid: undefined }),
    container('hidden', {}),
    container('lonely', { namespaceId: '3' }),
  ],
  networks: [network('docker', 'front', 'br-1'), network('podman', 'front', 'podman1'), network('docker', 'none')],
  namespaces: [
    {
      id: '1',
      isHost: true,
      path: '/proc/1/ns/net',
      name: 'host',
      links: [link('lo'), link('up0'), link('br-1')],
      routes: [route('up0')],
    },
    {
      ...{ id: '2', isHost: false, path: '/run/docker/netns/2', name: 'web' },
      ...{
        links: [link('lo', '127.0.0.1/8'), link('eth1', '10.2.0.2/24'), link('eth0', '10.1.0.2/24')],
        routes: [route('eth0')],
      },
    },
    { id: '3', isHost: false, path: '/proc/9/ns/net', name: 'lonely', links: [link('lo')], routes: [] },
    {
      id: '4',
      isHost: false,
      path: '/run/netns/bare',
      name: 'bare',
      links: [link('a'), link('b', '10.3.0.2/24')],
      routes: [],
    },
  ],
} as unknown as HostTopology;
const find = (text: string, chosen?: string) => {
  const place = findCapturePlace(host, text, chosen);
  return place && [place.ns, place.link, place.description];
};

test('containers, the host, namespaces and networks', () => {
  const web = 'of container web of docker (c045c82e85bd)';
  assert.deepEqual(find('web'), ['/run/docker/netns/2', 'eth0', `eth0 ${web}`], 'the link of the default route');
  assert.deepEqual(find('web', 'eth1'), ['/run/docker/netns/2', 'eth1', `eth1 ${web}`]);
  assert.deepEqual(find('bare'), ['/run/netns/bare', 'b', 'b of namespace bare'], 'the first with an address');
  assert.deepEqual(find('host'), ['/proc/1/ns/net', 'up0', 'up0 of this host']);
  assert.deepEqual(find('uplink'), find('host'));
  assert.deepEqual(find('docker/front'), ['/proc/1/ns/net', 'br-1', 'br-1 of network front of docker']);
  assert.equal(find('missing'), undefined);
});

test('targets without an interface', () => {
  const fails = (code: 'conflict' | 'not-found', text: string, message: RegExp, chosen?: string) =>
    assert.throws(
      () => find(text, chosen),
      (error) => isNetyardError(error, code) && message.test(error.message),
    );
  fails('conflict', 'front', /^front is ambiguous: docker\/front, podman\/front$/);
  fails('conflict', 'none', /^network none of docker has no interface on this host$/);
  fails('conflict', 'job', /^container job of docker \(c045c82e85bd\) is not running$/);
  fails('conflict', 'hidden', /has a network namespace that cannot be seen$/);
  fails('conflict', 'lonely', /has no interface but lo$/);
  fails('not-found', 'web', /has no interface eth7$/, 'eth7');
});

test('a network with several bridges: what is not on the captured one is named', () => {
  const pair = (name: string, index: number, masterIndex: number, other: number) => ({
    ...{ ...link(name), index, masterIndex, kind: 'veth', peer: { namespaceId: '1', index: other } },
  });
  const bridge = (name: string, index: number) => ({ ...link(name), index, kind: 'bridge' });
  const links = [bridge('br-1', 10), bridge('seg', 11), pair('t', 12, 10, 13), pair('u', 13, 11, 12), link('eth0')];
  const joined = { ...host, namespaces: [{ ...host.namespaces[0], links }] } as unknown as HostTopology;
  const describe = (chosen?: string) => findCapturePlace(joined, 'docker/front', chosen)?.description;
  assert.equal(describe(), 'br-1 of network front of docker, without what stays on seg');
  assert.equal(describe('seg'), 'seg of network front of docker, without what stays on br-1');
  assert.equal(describe('eth0'), 'eth0 of network front of docker');
});
