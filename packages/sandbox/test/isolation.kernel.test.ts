/**
 * Tests which containers of a bridge network are reachable from where, for each gateway mode, with real packets: the same
 * network, another network, a neighbouring host that has a route, the host itself.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, askBriefly, eventually, inFreshHost, pings, pingsBriefly, serve, sh } from '@netyard/testkit';
import { addressOf, bridgeNetwork, type Container, describeBridges, on, probeBriefly } from './bridge-networks.ts';

const host = inFreshHost(import.meta.url);

const mode = (name: string) => ({ options: { gateway_mode_ipv4: name } });
const networks = [
  bridgeNetwork('asker', 20),
  bridgeNetwork('closed', 21),
  bridgeNetwork('open', 22, mode('nat-unprotected')),
  bridgeNetwork('routed', 23, mode('routed')),
  bridgeNetwork('internal', 24, { internal: true }),
  bridgeNetwork('isolated', 25, { internal: true, ...mode('isolated') }),
];
const targets = ['closed', 'open', 'routed', 'internal', 'isolated'] as const;
type Target = (typeof targets)[number];

const published = 80;
const unpublished = 81;
/** The host port that each network's server is published at, if at all. */
const hostPorts: Record<Target, number> = { closed: 8001, open: 8002, routed: 8003, internal: 8004, isolated: 8005 };
const hostAddress = '192.0.2.1';

/** What is reachable at the container's address: its published port, the other one, echo requests. */
type Reach = 'all' | 'published and ping' | 'nothing';

describeBridges(host, { networks }, (testbed, neighbour) => {
  const webs = new Map<Target, Container>();
  const neighbours = new Map<Target, Container>();
  let asker: Container;
  const web = (name: Target): Container => webs.get(name) ?? assert.fail(name);
  const clientIn = (name: Target): Container => neighbours.get(name) ?? assert.fail(name);

  before(async () => {
    asker = await testbed.run('asker', { mode: on('asker') });
    for (const name of targets) {
      const ports = [{ protocol: 'tcp' as const, containerPort: published, hostPort: hostPorts[name] }];
      const one = await testbed.run(`web-${name}`, { mode: on(name), ports });
      webs.set(name, one);
      neighbours.set(name, await testbed.run(`client-${name}`, { mode: on(name) }));
      await serve(one.netnsPath, 'tcp', published, name);
      await serve(one.netnsPath, 'tcp', unpublished, `${name}-unpublished`);
      // Replies of containers without a default route must not be what keeps them unreachable.
      const route = name === 'internal' ? 'via 10.24.0.1' : name === 'isolated' ? 'dev eth0' : undefined;
      if (route !== undefined) sh(`nsenter --net=${one.netnsPath} ip route add default ${route}`);
    }
  });

  async function checkReach(ns: string | undefined, name: Target, reach: Reach): Promise<void> {
    const address = addressOf(web(name));
    const [port, other] = [`${address}:${published}`, `${address}:${unpublished}`];
    const reachable: Record<Reach, string[]> = {
      all: [port, other, address],
      'published and ping': [port, address],
      nothing: [],
    };
    const expected = reachable[reach];
    if (expected.includes(port)) assert.match(ask(ns, 'tcp', address, published), new RegExp(`^${name} `));
    if (expected.includes(other)) assert.match(ask(ns, 'tcp', address, unpublished), new RegExp(`^${name}-unp`));
    if (expected.includes(address)) assert.ok(pings(ns, address), `ping ${address}`);
    const closed = [port, other, address].filter((target) => !expected.includes(target));
    assert.deepEqual(await probeBriefly(ns, closed), [], name);
  }

  for (const name of targets)
    test(`${name}: containers of the same network reach each other`, () =>
      checkReach(clientIn(name).netnsPath, name, 'all'));

  const fromOutside: Record<Target, Reach> = {
    closed: 'nothing',
    open: 'all',
    routed: 'published and ping',
    internal: 'nothing',
    isolated: 'nothing',
  };
  for (const [name, reach] of Object.entries(fromOutside) as [Target, Reach][]) {
    test(`${name}: ${reach} is reachable at the container's address from another network`, () =>
      checkReach(asker.netnsPath, name, reach));
    test(`${name}: ${reach} is reachable at the container's address from a neighbouring host`, () =>
      checkReach(neighbour, name, reach));
  }

  for (const name of targets)
    test(`${name}: the host reaches ${name === 'isolated' ? 'nothing' : 'its containers'}`, () =>
      checkReach(undefined, name, name === 'isolated' ? 'nothing' : 'all'));

  test('containers reach the host at the gateway, which mode isolated does not have', () => {
    for (const [name, { netnsPath }] of neighbours)
      if (name !== 'isolated') assert.ok(pings(netnsPath, addressOf(clientIn(name)).replace(/\d+$/, '1')), name);
    assert.equal(sh('ip -4 -o address show dev br-isolated'), '');
  });

  test('ports published with address translation are reachable at each address of the host', async () => {
    for (const name of ['closed', 'open'] as const) {
      const port = hostPorts[name];
      const clients = [clientIn(name), asker, web(name)];
      for (const { netnsPath } of clients)
        assert.match(ask(netnsPath, 'tcp', hostAddress, port), new RegExp(`^${name} `), `${name} by ${netnsPath}`);
      const own = addressOf(asker);
      assert.equal(ask(asker.netnsPath, 'tcp', '10.20.0.1', port), `${name} ${own}`, 'through its own gateway');
      assert.equal(ask(neighbour, 'tcp', hostAddress, port), `${name} 192.0.2.9`);
      for (const address of [hostAddress, '127.0.0.1', '10.20.0.1'])
        assert.match(ask(undefined, 'tcp', address, port), new RegExp(`^${name} `), `the host at ${address}`);
    }
  });

  test('networks without address translation publish nothing at the host’s addresses', async () => {
    const ports = (['routed', 'internal', 'isolated'] as const).map((name) => hostPorts[name]);
    for (const ns of [asker.netnsPath, neighbour, clientIn('routed').netnsPath, undefined])
      assert.deepEqual(
        await probeBriefly(
          ns,
          ports.map((port) => `${hostAddress}:${port}`),
        ),
        [],
      );
    assert.deepEqual(web('routed').ports, [
      { protocol: 'tcp', containerPort: published, hostAddress: '0.0.0.0', hostPort: 0 },
    ]);
    assert.deepEqual(web('internal').ports, []);
  });

  test('a container on an internal network reaches nothing outside, whatever routes it adds', async () => {
    for (const name of ['internal', 'isolated'] as const) {
      const { netnsPath } = clientIn(name);
      assert.equal(sh(`nsenter --net=${netnsPath} ip route show default`), '', 'no default route');
      const via = name === 'internal' ? 'via 10.24.0.1' : 'dev eth0';
      sh(`nsenter --net=${netnsPath} ip route add default ${via}`);
      const outside = [
        ...['192.0.2.9', addressOf(asker)],
        ...[`${hostAddress}:${hostPorts.closed}`, `${addressOf(web('open'))}:${published}`],
        ...[`${addressOf(web('routed'))}:${published}`, addressOf(web('routed')), addressOf(web('open'))],
        ...(name === 'internal' ? [`10.24.0.1:${hostPorts.closed}`, `10.24.0.1:${hostPorts.open}`] : [hostAddress]),
      ];
      assert.deepEqual(await probeBriefly(netnsPath, outside), [], name);
    }
  });

  test('a port that another program publishes of an internal network stays unreachable', async () => {
    sh('nft add table ip other; nft add chain ip other in "{ type nat hook prerouting priority -110; }"');
    for (const [port, name] of [
      [9001, 'internal'],
      [9002, 'closed'],
    ] as const)
      sh(`nft add rule ip other in tcp dport ${port} dnat to ${addressOf(web(name))}:${published}`);
    assert.equal(ask(neighbour, 'tcp', hostAddress, 9002), 'closed 192.0.2.9');
    assert.deepEqual(await probeBriefly(neighbour, [`${hostAddress}:9001`]), []);
    sh('nft delete table ip other');
  });

  test('peers reach the default bridge only', async () => {
    sh('ip -n neighbour address add 192.168.12.2/32 dev lo; ip -n neighbour address add 10.99.0.2/32 dev lo');
    await testbed.networks.addPeer({
      name: 'server2',
      address: '192.0.2.9',
      subnets: ['192.168.12.0/24', '10.99.0.0/16'],
    });
    const own = await testbed.run('own');
    for (const source of ['192.168.12.2', '10.99.0.2']) {
      assert.ok(pings(neighbour, addressOf(own), '-I', source), source);
      for (const name of ['closed', 'internal', 'routed'] as const)
        assert.equal(
          pingsBriefly(neighbour, addressOf(web(name)), '-I', source),
          name === 'routed',
          `${name} ${source}`,
        );
      assert.equal(askBriefly(neighbour, 'tcp', addressOf(web('routed')), unpublished, `,bind=${source}`), '');
    }
    sh('nft add element ip netyard peers "{ 192.0.2.9 }"');
    assert.ok(pings(neighbour, addressOf(own)));
    assert.ok(!pingsBriefly(neighbour, addressOf(web('closed'))));
    await testbed.networks.removePeer('server2');
  });

  test('while the rules are missing, the guard keeps the internal network closed', () => {
    // Synchronous, so that nothing is repaired meanwhile.
    sh('nft flush ruleset');
    assert.ok(!pingsBriefly(clientIn('internal').netnsPath, '192.0.2.9'));
    assert.ok(!pingsBriefly(neighbour, addressOf(web('internal'))));
    assert.ok(!pingsBriefly(neighbour, addressOf(web('closed'))));
  });

  test('after the repair the networks are as they were', async () => {
    await eventually('the rules are repaired', () => pingsBriefly(asker.netnsPath, addressOf(web('open'))));
    await checkReach(neighbour, 'routed', 'published and ping');
    await checkReach(neighbour, 'internal', 'nothing');
  });

  test('nat networks leave the host with its address, routed ones with their own', async () => {
    await serve(neighbour, 'tcp', 90, 'outside');
    assert.equal(ask(asker.netnsPath, 'tcp', '192.0.2.9', 90), 'outside 192.0.2.1');
    assert.equal(ask(web('open').netnsPath, 'tcp', '192.0.2.9', 90), 'outside 192.0.2.1');
    const address = addressOf(web('routed'));
    assert.equal(ask(web('routed').netnsPath, 'tcp', '192.0.2.9', 90), `outside ${address}`);
  });
});
