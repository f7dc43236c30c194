/** The operations on a kernel in memory: what is refused, with which words and codes, and that nothing stays behind. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import type { KernelOperation } from '@netyard/kernel';
import { FakeKernel } from '@netyard/testkit';
import type { SandboxConfig } from '../src/index.ts';
import { Yard } from './yard.ts';

let kernel: FakeKernel;
let yard: Yard;

beforeEach(async () => {
  kernel = new FakeKernel();
  yard = new Yard({ kernel });
  await yard.networks.start([]);
});
afterEach(() => yard.close());

const refuses = (code: string, message: string | RegExp) => (error: unknown) => {
  assert.ok(isNetyardError(error), String(error));
  assert.equal(error.code, code);
  if (typeof message === 'string') assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

const userDefined = 'user-specified IP address is supported on user-defined networks only';

const frontNetwork = {
  id: 'f'.repeat(64),
  name: 'front',
  ipam: { driver: 'default', pools: [{ subnet: '10.5.0.0/24', gateway: '10.5.0.1' }] },
  options: { 'com.docker.network.bridge.name': 'ny-front' },
  predefined: false,
};

const tcp = (hostPort: number) => ({ protocol: 'tcp' as const, containerPort: 80, hostPort });

test('create refuses, and registers nothing', async () => {
  await yard.create('host-mode', { mode: { kind: 'host' } });
  const host =
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior";
  const endpoint = (settings: object): Partial<SandboxConfig> => ({ endpoints: [{ network: 'bridge', ...settings }] });
  const invalid = 'invalid config for network bridge: invalid endpoint settings:\n';
  const cases: [Partial<SandboxConfig>, string, string | RegExp][] = [
    [{ links: ['missing'] }, 'invalid', 'could not get container for missing: No such container: missing'],
    [{ links: ['me'] }, 'invalid', 'could not get container for me: No such container: me'],
    [{ links: ['host-mode'] }, 'invalid', host],
    [{ links: ['a:b:c'] }, 'invalid', 'bad format for links: a:b:c'],
    [{ mode: { kind: 'host' }, links: ['host-mode'] }, 'invalid', host],
    [{ extraHosts: ['x'] }, 'invalid', 'bad format for add-host: "x"'],
    [{ hostname: 'a\nb' }, 'invalid', /invalid hostname format/],
    [{ dns: ['x'] }, 'invalid', 'invalid IP address: x'],
    [{ ports: [tcp(70000)] }, 'invalid', /invalid port specification/],
    [endpoint({ ipv4Address: '172.17.0.9' }), 'invalid', `${invalid}${userDefined}`],
    [endpoint({ ipv6Address: 'fd00::9' }), 'invalid', `${invalid}${userDefined}`],
    [endpoint({ ipv4Address: '1.2' }), 'invalid', `${invalid}${userDefined}\ninvalid IPv4 address: 1.2`],
    [endpoint({ macAddress: 'zz' }), 'invalid', `${invalid}zz is not a valid mac address`],
    [
      endpoint({ aliases: ['a'] }),
      'invalid',
      `${invalid}network-scoped aliases are only supported for user-defined networks`,
    ],
    [
      { mode: { kind: 'none' }, endpoints: [{ network: 'none', ipv4Address: '172.17.0.9' }] },
      'invalid',
      `invalid config for network none: invalid endpoint settings:\n${userDefined}`,
    ],
  ];
  for (const [wanted, code, message] of cases)
    await assert.rejects(yard.create('me', wanted), refuses(code, message), JSON.stringify(wanted));
  assert.equal(yard.store.sandboxes().length, 1);
  assert.deepEqual(yard.store.leases(yard.networks.get('bridge').id), []);
});

test('links: order, first alias wins, container mode is followed to its owner', async () => {
  const owner = await yard.create('owner');
  await yard.create('sharer', { mode: { kind: 'container', ref: 'owner' } });
  const other = await yard.create('other');
  const id = await yard.create('app', { links: ['other:z', 'sharer:a', 'owner:z', 'other:z'] });
  assert.deepEqual(
    yard.networks.links(id).map(({ alias, childId }) => [alias, childId]),
    [
      ['z', other],
      ['a', owner],
    ],
  );
  assert.equal(yard.networks.findLink('/app/z')?.childId, other);
  assert.deepEqual(
    yard.networks.linksTo(owner).map(({ alias }) => alias),
    ['a'],
  );
});

test('start refuses a link to a stopped target, and exec does as well', async () => {
  const child = await yard.create('child');
  const parent = await yard.create('parent', { links: ['child:db'] });
  const stopped = refuses('internal', 'Cannot link to a non running container: /child AS /parent/db');
  await assert.rejects(yard.start(parent), stopped);
  await yard.start(child);
  await yard.start(parent);
  await yard.stop(child);
  assert.throws(() => yard.networks.checkLinks(parent), stopped);
  await yard.rename(parent, 'renamed');
  assert.throws(
    () => yard.networks.checkLinks(parent),
    refuses('internal', 'Cannot link to a non running container: /child AS /renamed/db'),
  );
});

test('rm --link', async () => {
  await yard.create('child');
  const parent = await yard.create('parent', { links: ['child:db', 'child:store'] });
  await assert.rejects(
    yard.networks.removeLink('/child'),
    refuses('internal', 'Conflict, cannot remove the default link name of the container'),
  );
  await assert.rejects(
    yard.networks.removeLink('nobody/db'),
    refuses('internal', 'Cannot get parent /nobody for link name /nobody/db'),
  );
  await yard.networks.removeLink('parent/db');
  assert.deepEqual(
    yard.networks.links(parent).map(({ alias }) => alias),
    ['store'],
  );
  assert.deepEqual(yard.networks.config(parent)?.links, ['child:store']);
  await assert.rejects(yard.networks.removeLink('parent/db'), refuses('not-found', 'No such container: parent/db'));
});

test('legacy variables come only when asked for', async () => {
  const child = await yard.run('child', { exposed: [{ protocol: 'tcp', port: 80 }] });
  const parent = await yard.run('parent', { links: ['child:db'] });
  assert.deepEqual(yard.networks.linkEnvironment(parent.containerId), []);
  await yard.networks.close();
  const networks = yard.open({ legacyLinkEnvironment: true });
  await networks.start([child.containerId, parent.containerId]);
  assert.ok(networks.linkEnvironment(parent.containerId).includes('DB_PORT=tcp://172.17.0.2:80'));
});

test('container mode at start', async () => {
  const start = async (ref: string): Promise<unknown> =>
    yard.start(await yard.create(`j${ref}`, { mode: { kind: 'container', ref } }));
  await assert.rejects(
    start('ghost'),
    refuses('internal', 'joining network namespace of container: No such container: ghost'),
  );
  const owner = await yard.create('owner');
  await assert.rejects(
    start('owner'),
    refuses('conflict', 'cannot join network namespace of a non running container: container owner is created'),
  );
  yard.setState(owner, 'restarting');
  await assert.rejects(
    yard.start(await yard.create('again', { mode: { kind: 'container', ref: 'owner' } })),
    refuses(
      'conflict',
      /^cannot join network namespace of container: Container [0-9a-f]{64} is restarting, wait until/,
    ),
  );
  const self = await yard.create('self', { mode: { kind: 'container', ref: 'self' } });
  await assert.rejects(yard.start(self), refuses('internal', 'cannot join own network namespace'));
});

test('a port in use fails the start with all the words of Docker, and nothing stays', async () => {
  await yard.run('one', { ports: [tcp(8801)] });
  const before = kernel.objects();
  const two = await yard.create('two', { ports: [tcp(8802), tcp(8801)] });
  const words =
    /^failed to set up container networking: driver failed programming external connectivity on endpoint \w+ \([0-9a-f]{64}\): /;
  await assert.rejects(
    yard.start(two),
    refuses('internal', new RegExp(`${words.source}Bind for 0\\.0\\.0\\.0:8801 failed: port is already allocated$`)),
  );
  kernel.occupyPort('tcp', '0.0.0.0', 9000);
  const three = await yard.create('three', { ports: [tcp(9000)] });
  await assert.rejects(
    yard.start(three),
    refuses(
      'internal',
      new RegExp(`${words.source}failed to bind host port 0\\.0\\.0\\.0:9000/tcp: address already in use$`),
    ),
  );
  assert.deepEqual(kernel.objects(), before);
  assert.equal(kernel.reservedPorts().length, 2);
  assert.equal(yard.store.leases(yard.networks.get('bridge').id).length, 1);
});

test('a failure at any step gives everything back', async () => {
  const before = kernel.objects();
  const id = await yard.create('web', { ports: [tcp(8801), { protocol: 'udp', containerPort: 53, hostPort: 53 }] });
  for (let step = 1; step <= 12; step += 1) {
    kernel.failAtStep(step);
    await assert.rejects(yard.start(id), refuses('internal', /EIO/), `step ${step}`);
    assert.deepEqual(kernel.objects(), before, `step ${step}`);
    assert.deepEqual(kernel.reservedPorts(), []);
    assert.equal(yard.networks.state(id), undefined);
    assert.deepEqual(yard.store.leases(yard.networks.get('bridge').id), []);
    assert.equal(yard.store.sandboxes()[0]?.state, undefined);
  }
});

test('a full pool, and addresses that are never given twice or straight back', async () => {
  await yard.networks.close();
  const networks = yard.open({ bip: '10.9.0.1/29' });
  await networks.start([]);
  const given = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => yard.run(name)));
  assert.equal(new Set(given.map((state) => state.endpoints[0]?.ipv4Address)).size, 5);
  const id = await yard.create('f');
  const { id: network } = networks.get('bridge');
  const full = `failed to set up container networking: no available IPv4 addresses on this network's address pools: bridge (${network})`;
  await assert.rejects(yard.start(id), refuses('internal', full));
  const [first, second] = given;
  assert.ok(first && second);
  await yard.stop(second.containerId);
  await yard.stop(first.containerId);
  assert.equal((await yard.start(id)).endpoints[0]?.ipv4Address, '10.9.0.2');
});

/** A network that a user made, in the store before the box opens. */
async function openFront(): Promise<void> {
  yard.store.putNetwork({ ...yard.networks.get('bridge'), ...frontNetwork });
  await yard.networks.close();
  await yard.open().start([]);
}

const onFront = (ipv4Address?: string): Partial<SandboxConfig> => ({
  mode: { kind: 'network', ref: 'front' },
  endpoints: [{ network: 'front', ...(ipv4Address === undefined ? {} : { ipv4Address }) }],
});

test('a static address: what is refused on a network that a user made', async () => {
  await openFront();
  const invalid = 'invalid config for network front: invalid endpoint settings:\n';
  const outside = refuses('invalid', `${invalid}no configured subnet contains IP address 10.1.1.1`);
  await assert.rejects(yard.create('me', onFront('10.1.1.1')), outside);
  await assert.rejects(yard.create('me', onFront('1.2')), refuses('invalid', `${invalid}invalid IPv4 address: 1.2`));
  await assert.rejects(yard.create('me', onFront('10.5.0.1')), refuses('forbidden', 'Address already in use'));
  assert.deepEqual(yard.store.sandboxes(), []);
  const web = await yard.run('web');
  const connect = (network: string, ipv4Address: string) =>
    yard.networks.connect(network, web.containerId, { network, ipv4Address });
  await assert.rejects(connect('front', '10.1.1.1'), outside);
  await yard.networks.disconnect('bridge', web.containerId, false);
  await assert.rejects(connect('bridge', '172.17.0.9'), refuses('invalid', new RegExp(userDefined)));
  await connect('front', '10.5.0.9');
  assert.equal(yard.networks.state(web.containerId)?.endpoints[0]?.ipv4Address, '10.5.0.9');
});

test('static addresses stay reserved while the container is stopped, and over a restart of ours', async () => {
  await openFront();
  const id = await yard.create('static', onFront('10.5.0.2'));
  await yard.networks.close();
  await yard.open().start([]);
  assert.equal((await yard.run('dynamic', onFront())).endpoints[0]?.ipv4Address, '10.5.0.3');
  await assert.rejects(yard.create('thief', onFront('10.5.0.2')), refuses('forbidden', 'Address already in use'));
  assert.equal((await yard.start(id)).endpoints[0]?.ipv4Address, '10.5.0.2');
  await yard.remove(id);
  await yard.create('heir', onFront('10.5.0.2'));
});

test('host and none stand alone', async () => {
  const create = (kind: 'host' | 'none' | 'default', network: string) =>
    yard.run('two', { mode: { kind }, endpoints: [{ network }] });
  await assert.rejects(create('host', 'bridge'), refuses('invalid', /^container sharing network namespace/));
  await assert.rejects(create('default', 'host'), refuses('invalid', /^cannot connect container to host network/));
  await assert.rejects(create('none', 'bridge'), refuses('invalid', /private \(none\) mode$/));
});

test('connect and disconnect: the rules of Docker', async () => {
  const { networks } = yard;
  const connect = (name: string, id: string) => networks.connect(name, id, { network: name });
  const web = await yard.run('web');
  await assert.rejects(connect('nowhere', web.containerId), refuses('not-found', 'network nowhere not found'));
  await assert.rejects(
    connect('bridge', web.containerId),
    refuses('forbidden', 'endpoint with name web already exists in network bridge'),
  );
  await assert.rejects(
    connect('host', web.containerId),
    refuses('invalid', 'cannot connect container to host network - container must be created in host network mode'),
  );
  const shared =
    'container sharing network namespace with another container or host cannot be connected to any other network';
  const sharer = await yard.run('sharer', { mode: { kind: 'container', ref: 'web' } });
  await assert.rejects(connect('bridge', sharer.containerId), refuses('invalid', shared));
  const host = await yard.run('host', { mode: { kind: 'host' } });
  await assert.rejects(connect('bridge', host.containerId), refuses('invalid', shared));
  await assert.rejects(
    networks.disconnect('host', host.containerId, false),
    refuses('invalid', 'cannot disconnect container from host network - container was created in host network mode'),
  );
  await assert.rejects(
    networks.disconnect('none', web.containerId, false),
    refuses('internal', `container ${web.containerId} is not connected to the network none`),
  );
});

test('a failed connect gives everything back, a dry run takes nothing', async () => {
  const { networks } = yard;
  const web = await yard.run('web', { ports: [tcp(8801)] });
  const running = kernel.objects();
  const leaving = await networks.planDisconnect('bridge', web.containerId, false);
  assert.ok(leaving.some(({ action, object }) => action === 'delete' && object.kind === 'veth'));
  assert.deepEqual(kernel.objects(), running);
  await networks.disconnect('bridge', web.containerId, false);
  assert.deepEqual(await networks.planDisconnect('bridge', web.containerId, false).catch(() => 'refused'), 'refused');
  const before = kernel.objects();
  const planned = await networks.planConnect('bridge', web.containerId, { network: 'bridge' });
  assert.ok(planned.some(({ object }) => object.kind === 'veth'));
  kernel.failAtStep(3);
  await assert.rejects(networks.connect('bridge', web.containerId, { network: 'bridge' }), /EIO/);
  assert.deepEqual(kernel.objects(), before);
  assert.deepEqual(kernel.reservedPorts(), []);
  assert.deepEqual(networks.state(web.containerId)?.endpoints, []);
  await networks.connect('bridge', web.containerId, { network: 'bridge' });
  assert.equal(networks.state(web.containerId)?.ports[0]?.hostPort, 8801);
});

test('what a dry run of release and rm --link prints is what goes', async () => {
  const { networks } = yard;
  await networks.close();
  await yard.open({ icc: false }).start([]);
  const child = await yard.run('child', { exposed: [{ protocol: 'tcp', port: 80 }] });
  const links = ['child:db', 'child:store'];
  const { containerId, files } = await yard.run('web', { links, ports: [tcp(8801)] });
  for (const object of kernel.objects())
    if (object.kind === 'file' && object.path === files.hosts) writeFileSync(object.path, object.content);
  const words = (operations: readonly { action: string; object: object }[]): string[] =>
    operations.map((operation) => JSON.stringify(operation)).sort();
  /** The work is done after the plan, and nothing before it. */
  const same = async (plan: () => Promise<KernelOperation[]>, work: () => Promise<void>): Promise<string[]> => {
    const before = kernel.objects();
    const done = kernel.done.length;
    const planned = words(await plan());
    assert.deepEqual(kernel.objects(), before);
    await work();
    assert.deepEqual(planned, words(kernel.done.slice(done)));
    return planned;
  };
  const unlink = (alias: string) =>
    same(
      () => yard.networks.planRemoveLink(`web/${alias}`),
      () => yard.networks.removeLink(`web/${alias}`),
    );
  assert.equal((await unlink('db')).length, 1, 'the line of hosts: the other alias needs the way');
  assert.match((await unlink('store')).join(), /"delete".*link_holes/);
  const release = (id: string) =>
    same(
      () => yard.networks.planRelease(id),
      () => yard.stop(id),
    );
  assert.match((await release(containerId)).join(), /"netns".*8801/);
  assert.deepEqual(await release(containerId), []);
  await assert.rejects(yard.networks.planRemoveLink('web/db'), refuses('not-found', 'No such container: web/db'));
  await release(child.containerId);
});

test('a host-mode container with an endpoint on a bridge, as could once be made, can be removed', async () => {
  const { containerId, ...state } = await yard.run('old', { mode: { kind: 'host' } });
  const config = yard.networks.config(containerId);
  const web = await yard.run('web');
  const [endpoint] = web.endpoints;
  assert.ok(config && endpoint);
  await yard.remove(web.containerId);
  const before = kernel.objects();
  await yard.networks.close();
  const endpoints = [...config.endpoints, endpoint.config];
  yard.store.putSandbox({ ...config, endpoints }, { ...state, endpoints: [...state.endpoints, endpoint] });
  yard.store.putLease(endpoint.networkId, endpoint.ipv4Address, containerId);
  await yard.open().start([containerId]);
  assert.deepEqual(await yard.networks.planRelease(containerId), []);
  await yard.stop(containerId);
  await assert.rejects(yard.start(containerId), refuses('invalid', /^container sharing network namespace/));
  await yard.remove(containerId);
  assert.deepEqual(yard.store.sandboxes(), []);
  assert.deepEqual(yard.store.leases(endpoint.networkId), []);
  assert.deepEqual(kernel.objects(), before);
});

test('networks: the three of Docker, by name, id and prefix, and what may not be done to them', async () => {
  const { networks } = yard;
  assert.deepEqual(
    networks.list().map(({ name, driver }) => `${name} ${driver}`),
    ['bridge bridge', 'host host', 'none null'],
  );
  const bridge = networks.get('bridge');
  assert.equal(networks.get(bridge.id.slice(0, 12)).name, 'bridge');
  assert.throws(() => networks.get('x'), refuses('not-found', 'network x not found'));
  const create = (name: string) => networks.create({ name, driver: 'bridge' });
  await assert.rejects(
    create('bridge'),
    refuses('forbidden', 'operation is not permitted on predefined bridge network '),
  );
  await assert.rejects(create('front'), refuses('not-implemented', /not implemented/));
  await assert.rejects(
    networks.remove('none'),
    refuses('forbidden', 'none is a pre-defined network and cannot be removed'),
  );
});

test('--bip: what cannot be, what overlaps a route of the host, and moving the bridge', async () => {
  assert.throws(
    () => yard.open({ bip: '300.1.1.1/24' }),
    refuses('invalid', 'parse bip failed: invalid CIDR address: 300.1.1.1/24'),
  );
  for (const bip of ['192.168.1.0/24', '192.168.1.255/24', 'fd00::1/64', '10.0.0.1/31'])
    assert.throws(() => yard.open({ bip }), refuses('invalid', /^invalid bip/));
  kernel.appear({ kind: 'route', to: '192.168.0.0/16', via: '10.0.0.1', link: 'eth0' });
  await assert.rejects(
    yard.open({ bip: '192.168.11.1/24' }).start([]),
    refuses('conflict', "bip 192.168.11.1/24 overlaps with the host's route 192.168.0.0/16 via 10.0.0.1 dev eth0"),
  );
  const web = await yard.run('web');
  await assert.rejects(
    yard.open({ bip: '10.9.0.1/24' }).start([web.containerId]),
    refuses('conflict', /containers run on it \(web\)/),
  );
  await yard.open({ bip: '10.9.0.1/24' }).start([]);
  const addresses = kernel.objects().filter((object) => object.kind === 'address');
  assert.deepEqual(
    addresses.map(({ prefix }) => prefix),
    ['10.9.0.1/24'],
  );
  assert.equal((await yard.start(web.containerId)).endpoints[0]?.ipv4Address, '10.9.0.2');
});

test('a bridge of somebody else is left alone', async () => {
  const foreign = new FakeKernel();
  foreign.appear({ kind: 'bridge', name: 'docker0', up: true });
  const other = new Yard({ kernel: foreign });
  await assert.rejects(
    other.networks.start([]),
    refuses('conflict', "a link named docker0 exists and is not Netyard's"),
  );
  assert.deepEqual(
    foreign.objects().map(({ kind }) => kind),
    ['bridge'],
  );
  await other.close();
});

test('what a crash between us and the engine left is forgotten at start', async () => {
  await openFront();
  const id = await yard.create('lost', onFront('10.5.0.2'));
  await yard.networks.close();
  yard.containers.delete(id);
  await yard.open().start([]);
  assert.deepEqual(yard.store.sandboxes(), []);
  assert.deepEqual(yard.store.leases(frontNetwork.id), []);
});

test('explain names everything that stands for a container; topology draws it', async () => {
  const web = await yard.run('web', { ports: [tcp(8801)] });
  const { owner, objects } = yard.networks.explain('web');
  assert.equal(owner, 'container web');
  const wanted = kernel.objects();
  const other = new FakeKernel();
  await other.apply({ owner, objects });
  assert.deepEqual(
    new Set(other.objects().map((object) => JSON.stringify(object))),
    new Set(wanted.map((object) => JSON.stringify(object))),
  );
  const { nodes, edges } = yard.networks.topology();
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ['host', 'bridge', 'web'],
  );
  assert.ok(edges.some(({ from, address }) => from === web.containerId && address === '172.17.0.2'));
  await yard.stop(web.containerId);
  assert.throws(() => yard.networks.explain('web'), refuses('conflict', 'Container web is not running'));
  assert.ok((await yard.networks.planPrepare(web.containerId)).length > 5);
  assert.throws(() => yard.networks.explain('nothing'), refuses('not-found', 'No such container or network: nothing'));
});
