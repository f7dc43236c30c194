/** What a capture's target means: on a kernel in memory. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { KernelObject } from '@netyard/kernel';
import { openFakeYard, refuses } from './fake-yard.ts';

const place = async (yard: Awaited<ReturnType<typeof openFakeYard>>['yard'], target: string, link?: string) => {
  const request = link === undefined ? { target } : { target, link };
  return (await yard.networks.capture(request)).place;
};

async function open(t: TestContext) {
  const opened = await openFakeYard();
  t.after(() => opened.yard.close());
  return opened;
}

const wanted = (objects: readonly Partial<KernelObject>[]) => ({
  owner: 'test',
  objects: objects as readonly KernelObject[],
});

test('a container: its first link, its address, its name for readers; by name and by id', async (t) => {
  const { kernel, yard } = await open(t);
  const { containerId: id, netnsPath: ns, endpoints } = await yard.run('web');
  const { ipv4Address } = endpoints[0] ?? { ipv4Address: '' };
  const session = await yard.networks.capture({ target: 'web', filter: 'icmp', count: 3, snapLength: 96 });
  assert.deepEqual(
    { ...session.place, mac: '' },
    { kind: 'container', name: 'web', id, link: 'eth0', mac: '', addresses: [`${ipv4Address}/16`], otherLinks: [] },
  );
  assert.deepEqual(session.names, [{ address: ipv4Address, name: 'web' }]);
  assert.deepEqual(kernel.captures, [{ link: 'eth0', ns, filter: 'icmp', count: 3, snapLength: 96 }]);
  assert.equal((await place(yard, id.slice(0, 12))).id, id);
  assert.equal((await place(yard, 'web', 'lo')).link, 'lo');
});

test('sharers and containers without a network', async (t) => {
  const { yard } = await open(t);
  await yard.run('web');
  await yard.run('beside', { mode: { kind: 'container', ref: 'web' } });
  await yard.run('alone', { mode: { kind: 'none' } });
  assert.deepEqual((await place(yard, 'beside')).link, 'eth0');
  assert.deepEqual((await place(yard, 'alone')).link, 'lo');
});

test('a network is its bridge; host and none have no link', async (t) => {
  const { yard } = await open(t);
  const { link, kind, name } = await place(yard, 'bridge');
  assert.deepEqual([kind, name, link], ['network', 'bridge', 'docker0']);
  for (const ref of ['host', 'none'])
    await assert.rejects(place(yard, ref), refuses('conflict', `network ${ref} has no link of its own`));
  await assert.rejects(place(yard, 'bridge', 'eth0'), refuses('not-found', 'network bridge has no link eth0'));
});

test("uplink: the default route's link, else the only link of strangers with an address", async (t) => {
  const { kernel, yard } = await open(t);
  await assert.rejects(place(yard, 'uplink'), refuses('conflict', "this host's uplink is not to be told"));
  assert.equal((await place(yard, 'uplink', 'lo')).link, 'lo');
  await kernel.apply(wanted([{ kind: 'address', link: 'eth0', prefix: '172.16.2.101/16' }]));
  const { kind, name, addresses } = await place(yard, 'uplink');
  assert.deepEqual([kind, name, addresses], ['uplink', 'eth0', ['172.16.2.101/16']]);
  await yard.run('in-host', { mode: { kind: 'host' } });
  assert.deepEqual([(await place(yard, 'in-host')).kind, (await place(yard, 'in-host')).link], ['container', 'eth0']);
  await kernel.apply(
    wanted([
      { kind: 'bridge', name: 'wan', up: true },
      { kind: 'address', link: 'wan', prefix: '10.0.0.2/24' },
    ]),
  );
  await assert.rejects(place(yard, 'uplink'), refuses('conflict', /not to be told/));
  await kernel.apply(wanted([{ kind: 'route', to: 'default', via: '10.0.0.1', link: 'wan' }]));
  assert.equal((await place(yard, 'uplink')).link, 'wan');
});

test('what is not there, not running, not given', async (t) => {
  const { kernel, yard } = await open(t);
  await yard.create('stopped');
  await assert.rejects(place(yard, 'stopped'), refuses('conflict', 'Container stopped is not running'));
  await assert.rejects(place(yard, 'nobody'), refuses('not-found', 'No such container or network: nobody'));
  await assert.rejects(place(yard, 'nope/web'), refuses('not-found', 'No such peer: nope'));
  await assert.rejects(place(yard, ''), refuses('invalid', 'a capture needs a target'));
  assert.deepEqual(kernel.captures, []);
});
