/** User-defined networks with real packets: containers on one and two networks, repair, a restart of the daemon, removal. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addNeighbour,
  addUplink,
  ask,
  eventually,
  inFreshHost,
  pings,
  pingsBriefly,
  serve,
  sh,
} from '@netyard/testkit';
import type { SandboxConfig } from '../src/index.ts';
import { on, Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);

describe('user-defined networks', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const { networks } = testbed;
  const links = new Map<string, string>();

  const create = async (name: string, subnet?: string): Promise<void> => {
    const ipam = subnet === undefined ? {} : { ipam: { v4: [{ subnet }] } };
    const { id } = await testbed.networks.create({ name, driver: 'bridge', ...ipam });
    links.set(name, `br-${id.slice(0, 12)}`);
  };
  const run = async (name: string, overrides: Partial<SandboxConfig>) => {
    const state = await testbed.run(name, overrides);
    const on = (network: string) => state.endpoints.find(({ networkName }) => networkName === network)?.addresses.v4;
    const address = state.endpoints[0]?.addresses.v4?.address ?? '';
    return { ...state, ns: state.netnsPath ?? '', address, on: (network: string) => on(network)?.address ?? '' };
  };
  type Running = Awaited<ReturnType<typeof run>>;
  let a1: Running;
  let a2: Running;
  let both: Running;
  let b1: Running;

  before(async () => {
    addUplink();
    addNeighbour('neighbour', 9);
    sh('ip route add 172.18.0.0/16 via 192.0.2.9'); // as a VPN does
    await networks.start([]);
  });
  after(async () => {
    await testbed.networks.close();
    kernel.close();
  });

  test('automatic subnets avoid routes through a gateway, also those added later', async () => {
    await create('a');
    sh('ip route add 172.20.0.0/16 via 192.0.2.9');
    await create('b');
    const subnets = ['a', 'b'].map((name) => testbed.networks.get(name).ipam.v4?.[0]?.subnet);
    assert.deepEqual(subnets, ['172.19.0.0/16', '172.21.0.0/16']);
    assert.match(sh(`ip -4 -o address show ${links.get('a')}`), /172\.19\.0\.1\/16 brd 172\.19\.255\.255/);
    assert.match(sh(`ip -o link show ${links.get('a')}`), /alias netyard: network a/);
  });

  test('containers of one network reach each other, the host and the outside', async () => {
    [a1, a2] = [await run('a1', on('a')), await run('a2', on('a'))];
    assert.deepEqual([a1.address, a2.address], ['172.19.0.2', '172.19.0.3']);
    assert.match(sh(`ip -n ${a1.ns.split('/').at(-1)} route`), /default via 172\.19\.0\.1 dev eth0/);
    assert.ok(pings(a1.ns, a2.address));
    assert.ok(pings(a1.ns, '172.19.0.1'));
    await serve('/run/netns/neighbour', 'tcp', 9000, 'neighbour');
    assert.equal(ask(a1.ns, 'tcp', '192.0.2.9', 9000), 'neighbour 192.0.2.1', 'masqueraded');
  });

  test('a container on two networks reaches the containers of both', async () => {
    b1 = await run('b1', on('b'));
    both = await run('both', on('b', 'a'));
    assert.deepEqual([both.on('b'), both.on('a')], ['172.21.0.3', '172.19.0.4']);
    assert.ok(pings(both.ns, a1.address));
    assert.ok(pings(both.ns, b1.address));
    assert.ok(pings(a2.ns, both.on('a')));
    assert.match(sh(`ip -n ${both.ns.split('/').at(-1)} route`), /default via 172\.19\.0\.1/, 'network a comes first');
  });

  test('a running container is connected to a second network, and disconnected', async () => {
    await testbed.networks.connect('b', a1.containerId, { network: 'b', addresses: { v4: '172.21.9.9' } });
    assert.ok(pings(a1.ns, b1.address));
    assert.ok(pings(b1.ns, '172.21.9.9'));
    await testbed.networks.disconnect('b', a1.containerId, false);
    assert.equal(pingsBriefly(b1.ns, '172.21.9.9'), false);
    assert.ok(pings(a1.ns, a2.address));
  });

  test('containers of an internal network reach each other and nothing else', async () => {
    await testbed.networks.create({ name: 'inside', driver: 'bridge', internal: true });
    const [one, two] = [await run('one', on('inside')), await run('two', on('inside'))];
    assert.ok(pings(one.ns, two.address));
    assert.equal(pingsBriefly(one.ns, '192.0.2.9'), false);
    assert.doesNotMatch(sh(`ip -n ${one.ns.split('/').at(-1)} route`), /default/);
    for (const { containerId } of [one, two]) await testbed.remove(containerId);
    await testbed.networks.remove('inside');
  });

  test('a network may have any name', async () => {
    const names = ['a "b" $c; d', '网络', 'n'.repeat(400), `${'n'.repeat(400)}2`, '*'];
    for (const name of names) await create(name);
    const odd = await run('odd', on(names[0] ?? ''));
    assert.ok(pings(odd.ns, testbed.networks.get(names[0] ?? '').ipam.v4?.[0]?.gateway ?? ''));
    await testbed.remove(odd.containerId);
    for (const name of names) await testbed.networks.remove(name);
  });

  const changes: [string, () => string][] = [
    ['is deleted', () => `ip link delete ${links.get('a')}`],
    ['is down', () => `ip link set ${links.get('a')} down`],
    ['loses its address', () => `ip address flush dev ${links.get('a')}`],
    ['loses an element of the firewall', () => `nft delete element ip netyard bridges '{ "${links.get('a')}" }'`],
  ];
  for (const [what, command] of changes)
    test(`a bridge that ${what} is repaired, with its containers`, async () => {
      sh(command());
      await eventually('its containers reach each other and the outside', () =>
        [a2.address, '192.0.2.9'].every((address) => pingsBriefly(a1.ns, address)),
      );
      await eventually('the firewall has the bridge', () =>
        sh('nft list set ip netyard bridges').includes(links.get('a') ?? '-'),
      );
      assert.ok(pings(both.ns, a1.address));
    });

  test("a container's interface on the bridge of another network is moved back", async () => {
    sh(`ip link set ${a2.endpoints[0]?.hostLink} master ${links.get('b')}`);
    await eventually('it is reached again', () => pingsBriefly(a1.ns, a2.address));
  });

  test('a restarted daemon repairs what changed meanwhile, and the containers keep their addresses', async () => {
    await testbed.networks.close();
    sh(`ip link delete ${links.get('a')}; nft delete table ip netyard`);
    await testbed.open().start([a1, a2, both, b1].map(({ containerId }) => containerId));
    assert.ok(pings(a1.ns, a2.address));
    assert.ok(pings(both.ns, b1.address));
    assert.ok(pings(a1.ns, '192.0.2.9'));
  });

  test('a network in use cannot be removed; removed networks leave nothing', async () => {
    await assert.rejects(
      testbed.networks.remove('a'),
      /network a has active endpoints \(name:"a1" id:"[0-9a-f]{12}", /,
    );
    for (const { containerId } of [a1, a2, both, b1]) await testbed.remove(containerId);
    for (const name of ['a', 'b']) await testbed.networks.remove(name);
    await eventually('no interface is left', () => !/\b(?:br-|ny-)[0-9a-f]{12}/.test(sh('ip -o link')));
    assert.doesNotMatch(sh('nft list ruleset'), /br-[0-9a-f]{12}|172\.(?:19|21)\./);
    assert.deepEqual(await testbed.networks.cleanup({ dryRun: true }), []);
    assert.deepEqual(
      testbed.store.networks().map(({ name }) => name),
      ['bridge', 'host', 'none'],
    );
  });

  test('objects of a network without a record are removed at start, and all of them by cleanup', async () => {
    await create('a');
    const { id } = testbed.networks.get('a');
    await testbed.networks.close();
    testbed.store.deleteNetwork(id);
    await testbed.open().start([]);
    assert.doesNotMatch(sh('ip -o link; nft list ruleset'), /br-[0-9a-f]{12}/);
    await create('b');
    await testbed.networks.close();
    testbed.open();
    const removed = await testbed.networks.cleanup({ dryRun: false });
    assert.ok(
      removed.some((text) => text.includes(links.get('b') ?? '-')),
      removed.join('\n'),
    );
    assert.doesNotMatch(sh('ip -o link; nft list ruleset'), /br-[0-9a-f]{12}|netyard/);
  });
});
