/** Tests how the target of a packet capture is resolved, on an in-memory kernel. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { KernelObject } from '@netyard/kernel';
import { openFakeTestbed, refuses } from './fake-testbed.ts';

const place = async (
  testbed: Awaited<ReturnType<typeof openFakeTestbed>>['testbed'],
  target: string,
  link?: string,
) => {
  const request = link === undefined ? { target } : { target, link };
  return (await testbed.networks.capture(request)).source;
};

async function open(t: TestContext) {
  const opened = await openFakeTestbed();
  t.after(() => opened.testbed.close());
  return opened;
}

const plan = (objects: readonly Partial<KernelObject>[]) => ({
  owner: 'test',
  objects: objects as readonly KernelObject[],
});

test('a container is found by name and by id: its first interface, its address and its name are reported', async (t) => {
  const { kernel, testbed } = await open(t);
  const { containerId: id, netnsPath: ns, endpoints } = await testbed.run('web');
  const ipv4Address = endpoints[0]?.addresses.v4?.address ?? '';
  const session = await testbed.networks.capture({ target: 'web', filter: 'icmp', count: 3, snapLength: 96 });
  assert.deepEqual(
    { ...session.source, mac: '' },
    { kind: 'container', name: 'web', id, link: 'eth0', mac: '', addresses: [`${ipv4Address}/16`], otherLinks: [] },
  );
  assert.deepEqual(session.names, [{ address: ipv4Address, name: 'web' }]);
  assert.deepEqual(kernel.captures, [{ link: 'eth0', ns, filter: 'icmp', count: 3, snapLength: 96 }]);
  assert.equal((await place(testbed, id.slice(0, 12))).id, id);
  assert.equal((await place(testbed, 'web', 'lo')).link, 'lo');
});

test('a container in container mode resolves to the interface of its owner, one without a network to lo', async (t) => {
  const { testbed } = await open(t);
  await testbed.run('web');
  await testbed.run('beside', { mode: { kind: 'container', ref: 'web' } });
  await testbed.run('alone', { mode: { kind: 'none' } });
  assert.deepEqual((await place(testbed, 'beside')).link, 'eth0');
  assert.deepEqual((await place(testbed, 'alone')).link, 'lo');
});

test('a network resolves to its bridge; host and none have no interface', async (t) => {
  const { testbed } = await open(t);
  const { link, kind, name } = await place(testbed, 'bridge');
  assert.deepEqual([kind, name, link], ['network', 'bridge', 'docker0']);
  for (const ref of ['host', 'none'])
    await assert.rejects(place(testbed, ref), refuses('conflict', `network ${ref} has no interface of its own`));
  await assert.rejects(place(testbed, 'bridge', 'eth0'), refuses('not-found', 'network bridge has no interface eth0'));
});

test('a network has the bridges of its segments as further interfaces, and not those of other networks', async (t) => {
  const { kernel, testbed } = await open(t);
  const id = testbed.networks.get('bridge').id.slice(0, 10);
  const bridges = [`nyb${id}01`, `nyb${id}02`];
  const others = [`nyb${id.startsWith('0') ? '1' : '0'}${id.slice(1)}01`, `nyt${id}01`];
  await kernel.apply(plan([...bridges, ...others].map((name) => ({ kind: 'bridge', name, up: true }) as const)));
  await kernel.apply(plan([{ kind: 'dummy', name: `nyu${id}01`, up: true }]));
  const { link, otherLinks } = await place(testbed, 'bridge');
  assert.deepEqual([link, otherLinks.filter((name) => name.startsWith('nyb'))], ['docker0', bridges]);
  const segment = await place(testbed, 'bridge', bridges[1]);
  assert.deepEqual([segment.name, segment.link], ['bridge', bridges[1]]);
  await assert.rejects(place(testbed, 'bridge', others[0]), refuses('not-found', /has no interface nyb/));
});

test('uplink is the interface of the default route, else the only interface with an address that Netyard did not create', async (t) => {
  const { kernel, testbed } = await open(t);
  await assert.rejects(place(testbed, 'uplink'), refuses('conflict', "this host's uplink cannot be determined"));
  assert.equal((await place(testbed, 'uplink', 'lo')).link, 'lo');
  await kernel.apply(plan([{ kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' }]));
  const { kind, name, addresses } = await place(testbed, 'uplink');
  assert.deepEqual([kind, name, addresses], ['uplink', 'eth0', ['172.16.2.101/16']]);
  await testbed.run('in-host', { mode: { kind: 'host' } });
  assert.deepEqual(
    [(await place(testbed, 'in-host')).kind, (await place(testbed, 'in-host')).link],
    ['container', 'eth0'],
  );
  await kernel.apply(
    plan([
      { kind: 'bridge', name: 'wan', up: true },
      { kind: 'address', link: 'wan', prefix: '10.0.0.2/24' },
    ]),
  );
  await assert.rejects(place(testbed, 'uplink'), refuses('conflict', /cannot be determined/));
  await kernel.apply(plan([{ kind: 'route', to: 'default', via: '10.0.0.1', link: 'wan' }]));
  assert.equal((await place(testbed, 'uplink')).link, 'wan');
});

test('a capture of a missing, stopped or empty target is rejected', async (t) => {
  const { kernel, testbed } = await open(t);
  await testbed.create('stopped');
  await assert.rejects(place(testbed, 'stopped'), refuses('conflict', 'Container stopped is not running'));
  await assert.rejects(place(testbed, 'missing'), refuses('not-found', 'No such container or network: missing'));
  await assert.rejects(place(testbed, 'nope/web'), refuses('not-found', 'No such peer: nope'));
  await assert.rejects(place(testbed, ''), refuses('invalid', 'a capture needs a target'));
  assert.deepEqual(kernel.captures, []);
});
