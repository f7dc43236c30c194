/**
 * Tests which containers of an IPv6 network are reachable from where, for each gateway mode, with real packets: the same
 * network, another network, a neighbouring host that has a route, the host itself. As isolation.kernel.test.ts.
 */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ask, eventually, inFreshHost, inFull, pings, pingsBriefly, serve, sh } from '@netyard/testkit';
import * as bridges from './bridge-networks.ts';
import { type Container, describeBridges, on, portAt, probeBriefly } from './bridge-networks.ts';

const host = inFreshHost(import.meta.url);

const families = ['v6'] as const;
const mode = (name: string) => ({ families, options: { gateway_mode_ipv6: name } });
const networks = [
  bridges.bridgeNetwork('asker', 20, { families: ['v4', 'v6'] }),
  bridges.bridgeNetwork('closed', 21, { families }),
  bridges.bridgeNetwork('open', 22, mode('nat-unprotected')),
  bridges.bridgeNetwork('routed', 23, mode('routed')),
  bridges.bridgeNetwork('internal', 24, { families, internal: true }),
  bridges.bridgeNetwork('isolated', 25, { ...mode('isolated'), internal: true }),
  bridges.bridgeNetwork('apart', 26, { families, options: { enable_icc: 'false' } }),
  bridges.bridgeNetwork('source', 27, { families, options: { 'com.docker.network.host_ipv6': '2001:db8::5' } }),
  bridges.bridgeNetwork('wide', 28, { families, options: { enable_ip_masquerade: 'false' } }),
];
const targets = ['closed', 'open', 'routed', 'internal', 'isolated'] as const;
type Target = (typeof targets)[number];

const port = 80;
const outside = '2001:db8::9';
const addressOf = (container: Container): string => bridges.addressOf(container, undefined, 'v6');

/** What is reachable at the container's address: its ports and echo requests. */
type Reach = 'all' | 'ping' | 'nothing';

describeBridges(host, { networks }, (testbed, neighbour) => {
  const webs = new Map<string, Container>();
  const neighbours = new Map<string, Container>();
  let asker: Container;
  const web = (name: string): Container => webs.get(name) ?? assert.fail(name);
  const clientIn = (name: string): Container => neighbours.get(name) ?? assert.fail(name);

  before(async () => {
    asker = await testbed.run('asker', { mode: on('asker') });
    for (const name of [...targets, 'apart']) {
      const one = await testbed.run(`web-${name}`, { mode: on(name) });
      webs.set(name, one);
      neighbours.set(name, await testbed.run(`client-${name}`, { mode: on(name) }));
      await serve(one.netnsPath, 'tcp', port, name, { family: 6 });
      // Replies of containers without a default route must not be what keeps them unreachable.
      const route = name === 'internal' ? 'via fd00:24::1' : name === 'isolated' ? 'dev eth0' : undefined;
      if (route !== undefined) sh(`nsenter --net=${one.netnsPath} ip -6 route add default ${route}`);
    }
  });

  async function checkReach(ns: string | undefined, name: string, reach: Reach): Promise<void> {
    const address = addressOf(web(name));
    if (reach === 'all') assert.match(ask(ns, 'tcp', address, port), new RegExp(`^${name} `));
    if (reach !== 'nothing') assert.ok(pings(ns, address), `ping ${address}`);
    const closed = { all: [], ping: [portAt(address, port)], nothing: [portAt(address, port), address] }[reach];
    assert.deepEqual(await probeBriefly(ns, closed), [], name);
  }

  for (const name of targets)
    test(`${name}: containers of the same network reach each other`, () =>
      checkReach(clientIn(name).netnsPath, name, 'all'));

  test('with icc=false they do not, and nothing else does either', async () => {
    await checkReach(clientIn('apart').netnsPath, 'apart', 'nothing');
    await checkReach(asker.netnsPath, 'apart', 'nothing');
    await checkReach(undefined, 'apart', 'all');
    assert.ok(pings(clientIn('apart').netnsPath, outside));
  });

  const fromOutside: Record<Target, Reach> = {
    ...{ closed: 'nothing', open: 'all', routed: 'ping', internal: 'nothing', isolated: 'nothing' },
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
    for (const [name, { netnsPath, ...rest }] of neighbours)
      if (name !== 'isolated')
        assert.ok(pings(netnsPath, addressOf({ ...rest, netnsPath } as Container).replace(/:[^:]*$/, ':1')), name);
    assert.equal(sh('ip -6 -o address show dev br-isolated'), '', 'not even a link-local address');
  });

  test('a container on an internal network reaches nothing outside, whatever routes it adds', async () => {
    for (const name of ['internal', 'isolated'] as const) {
      const { netnsPath } = clientIn(name);
      assert.equal(sh(`nsenter --net=${netnsPath} ip -6 route show default`), '', 'no default route');
      const via = name === 'internal' ? 'via fd00:24::1' : 'dev eth0';
      sh(`nsenter --net=${netnsPath} ip -6 route add default ${via}`);
      const others = [outside, addressOf(asker), addressOf(web('routed')), addressOf(web('open'))];
      const targets = [
        ...others,
        portAt(addressOf(web('open')), port),
        ...(name === 'isolated' ? ['2001:db8::1'] : []),
      ];
      assert.deepEqual(await probeBriefly(netnsPath, targets), [], name);
    }
  });

  test('nat networks leave the host with its address, routed ones with their own', async () => {
    sh('ip address add 2001:db8::5/64 dev up0 nodad');
    sh(`ip -n neighbour route replace fd00::/16 via 2001:db8::1`);
    await serve(neighbour, 'tcp', 90, 'outside', { family: 6 });
    const source = async (name: string): Promise<string> => {
      const { netnsPath } = webs.get(name) ?? (await testbed.run(`one-${name}`, { mode: on(name) }));
      return ask(netnsPath, 'tcp', outside, 90).replace(/^outside \[|\]$/g, '');
    };
    assert.match(await source('closed'), /^2001:0db8:0000:0000:0000:0000:0000:000[15]$/);
    assert.match(await source('open'), /^2001:0db8:0000:0000:0000:0000:0000:000[15]$/);
    assert.equal(await source('routed'), inFull(addressOf(web('routed'))));
    assert.equal(await source('source'), inFull('2001:db8::5'));
    assert.equal(await source('wide'), inFull('fd00:28::2'));
  });

  test('the path MTU of routers beyond the host is learned, also through address translation', async () => {
    sh('ip netns add far && ip -n neighbour link add toward type veth peer name eth0 netns far');
    sh('ip -n neighbour address add 2001:db8:1::1/64 dev toward nodad && ip -n neighbour link set toward up mtu 1280');
    sh('ip -n far address add 2001:db8:1::2/64 dev eth0 nodad && ip -n far link set eth0 up mtu 1280');
    sh('ip -n far route add default via 2001:db8:1::1 && ip route add 2001:db8:1::/64 via 2001:db8::9');
    sh('nsenter --net=/run/netns/neighbour sysctl -qw net.ipv6.conf.all.forwarding=1');
    for (const name of ['closed', 'routed']) {
      const ns = web(name).netnsPath;
      assert.ok(pings(ns, '2001:db8:1::2'), name);
      await eventually(`${name} learns it`, () => {
        pingsBriefly(ns, '2001:db8:1::2', '-s', '1400'); // too big for the second router
        return /mtu 1280/.test(sh(`nsenter --net=${ns} ip -6 route get 2001:db8:1::2`));
      });
    }
    sh('ip netns delete far; ip route delete 2001:db8:1::/64');
  });

  test('while the rules are missing, the guard keeps the networks closed', () => {
    // Synchronous, so that nothing is repaired meanwhile.
    sh('nft flush ruleset');
    assert.ok(!pingsBriefly(clientIn('internal').netnsPath, outside));
    assert.ok(!pingsBriefly(neighbour, addressOf(web('internal'))));
    assert.ok(!pingsBriefly(neighbour, addressOf(web('closed'))));
    assert.ok(!pingsBriefly(clientIn('closed').netnsPath, outside), 'nothing leaves with an address of the network');
  });

  test('after the repair the networks are as they were', async () => {
    await eventually('the rules are repaired', () => pingsBriefly(asker.netnsPath, addressOf(web('open'))));
    await checkReach(neighbour, 'routed', 'ping');
    await checkReach(neighbour, 'internal', 'nothing');
    assert.ok(pings(clientIn('closed').netnsPath, outside));
  });

  test('an element that another program deletes is added again, and one that it adds is deleted', async () => {
    sh('nft delete element ip6 netyard internal_bridges "{ br-internal }"');
    sh('nft add element ip6 netyard unprotected_bridges "{ br-closed }"');
    const list = (set: string): string => sh(`nft list set ip6 netyard ${set}`);
    await eventually(
      'both are repaired',
      () => list('internal_bridges').includes('br-internal') && !list('unprotected_bridges').includes('br-closed'),
    );
    await checkReach(neighbour, 'closed', 'nothing');
  });

  test('a restarted daemon leaves the tables as they are, and nothing is left at the end', async () => {
    const listing = sh('nft -s list table ip6 netyard; nft -s list table bridge netyard');
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    assert.equal(sh('nft -s list table ip6 netyard; nft -s list table bridge netyard'), listing);
    assert.deepEqual(await testbed.networks.cleanup({ dryRun: true }), []);
  });
});
