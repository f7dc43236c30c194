/** Ports published on IPv6 addresses, with real packets: translated, or relayed to containers that have only IPv4. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import {
  addIpv6Neighbour,
  addIpv6Uplink,
  addNeighbour,
  addUplink,
  ask,
  askBriefly,
  eventually,
  inFreshHost,
  inFull,
  serve,
  sh,
} from '@netyard/testkit';
import type { PortRequest, SandboxConfig, SandboxState } from '../src/index.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';
/** Of the host, on the segment of the neighbour 2001:db8::9. */
const hostAddress = '2001:db8::1';

const tcp = (hostPort: number, address?: string): PortRequest => ({
  ...{ protocol: 'tcp', containerPort: 80, hostPort },
  ...(address === undefined ? {} : { hostAddress: address }),
});
const udp = (hostPort: number): PortRequest => ({ protocol: 'udp', containerPort: 80, hostPort });
const on = (ref: string): Partial<SandboxConfig> => ({ mode: { kind: 'network', ref } });

/** A client of UDP waits for more datagrams until its time is over. */
const askOver = (protocol: 'tcp' | 'udp', ns: string | undefined, address: string, port: number): string =>
  protocol === 'tcp' ? ask(ns, protocol, address, port) : askBriefly(ns, protocol, address, port);

describe('ports on IPv6 addresses', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  const addressIn = ({ endpoints }: SandboxState): string => endpoints[0]?.addresses.v6?.gateway ?? '';
  let web: SandboxState & { containerId: string };
  let dual: SandboxState;
  /** A neighbour of `dual`. */
  let other: SandboxState;

  before(async () => {
    // With br_netfilter, which is on by default where it is loaded, neighbours keep their addresses, too.
    sh('sysctl -qw net.bridge.bridge-nf-call-ip6tables=0 || true');
    addUplink();
    addNeighbour('neighbour', 9);
    addIpv6Uplink();
    addIpv6Neighbour('neighbour', 9);
    sh('ip address add 2001:db8::2/64 dev up0 nodad');
    await testbed.networks.start([]);
    for (const [name, subnet, internal] of [
      ['dual', 'fd00:1::/64', false],
      ['back', 'fd00:2::/64', true],
    ] as const)
      await testbed.networks.create({ name, driver: 'bridge', internal, ipam: { v4: [], v6: [{ subnet }] } });
    web = await testbed.run('web', { ports: [tcp(8080), udp(8080), tcp(8081, '::1'), tcp(8082, hostAddress)] });
    for (const protocol of ['tcp', 'udp'] as const) await serve(web.netnsPath, protocol, 80, 'web');
    dual = await testbed.run('dual', {
      ...on('dual'),
      ports: [tcp(9080), udp(9080), tcp(9081, '::1'), tcp(9082, hostAddress)],
    });
    for (const protocol of ['tcp', 'udp'] as const) await serve(dual.netnsPath, protocol, 80, 'dual', { family: 6 });
    other = await testbed.run('other', on('dual'));
  });
  after(async () => {
    await testbed.close();
    kernel.close();
  });

  for (const protocol of ['tcp', 'udp'] as const)
    test(`a container with IPv4 only is reached over IPv6 from other hosts, the host and containers (${protocol})`, () => {
      // The client's address is lost: to the container, its gateway is the client.
      for (const [ns, address] of [
        [neighbour, hostAddress],
        [neighbour, '2001:db8::2'],
        [undefined, '::1'],
        [undefined, hostAddress],
        [dual.netnsPath, addressIn(dual)],
        [dual.netnsPath, hostAddress],
      ] as const)
        assert.equal(askOver(protocol, ns, address, 8080), 'web 172.17.0.1', `${ns} ${address}`);
    });

  for (const protocol of ['tcp', 'udp'] as const)
    test(`a container with IPv6 sees the addresses of its clients, except of neighbours and the host (${protocol})`, () => {
      const gateway = addressIn(dual);
      for (const [ns, address, client] of [
        [neighbour, hostAddress, '2001:db8::9'],
        [neighbour, '2001:db8::2', '2001:db8::9'],
        [undefined, '::1', gateway],
        [undefined, hostAddress, hostAddress],
        [other.netnsPath, gateway, gateway],
        [other.netnsPath, hostAddress, gateway],
        [dual.netnsPath, hostAddress, gateway],
      ] as const)
        assert.equal(askOver(protocol, ns, address, 9080), `dual [${inFull(client)}]`, `${ns} ${address}`);
    });

  test('a client with a link-local address is relayed', () => {
    const linkLocal = /inet6 (\S+)\//.exec(sh('ip -6 -o address show dev up0 scope link'))?.[1] ?? '';
    assert.equal(ask(neighbour, 'tcp', `${linkLocal}%eth0`, 9080), `dual [${inFull(addressIn(dual))}]`);
  });

  test('an IPv6 network works as before while the daemon is away, except at [::1]', async () => {
    await testbed.networks.close();
    assert.equal(ask(neighbour, 'tcp', hostAddress, 9080), `dual [${inFull('2001:db8::9')}]`);
    assert.equal(askBriefly(undefined, 'tcp', '::1', 9080), '');
    await testbed.open().start([...testbed.containers.keys()]);
    assert.equal(ask(undefined, 'tcp', '::1', 9080), `dual [${inFull(addressIn(dual))}]`);
  });

  test("a port at a bridge's own address is reached from its network, not from outside", async () => {
    const bridge = addressIn(dual);
    const port = { ...tcp(7080), hostAddress: bridge };
    await testbed.networks.addPorts(web.containerId, [port]);
    assert.equal(ask(other.netnsPath, 'tcp', bridge, 7080), 'web 172.17.0.1');
    assert.equal(ask(undefined, 'tcp', bridge, 7080), 'web 172.17.0.1');
    sh('ip -n neighbour route add fd00:1::/64 via 2001:db8::1');
    assert.equal(askBriefly(neighbour, 'tcp', bridge, 7080), '');
    await testbed.networks.removePorts(web.containerId, [port]);
  });

  test('a port on one address is reached at that address only', () => {
    assert.match(ask(undefined, 'tcp', '::1', 9081), /^dual /);
    assert.equal(askBriefly(neighbour, 'tcp', hostAddress, 9081), '');
    assert.match(ask(neighbour, 'tcp', hostAddress, 9082), /^dual /);
    assert.equal(askBriefly(neighbour, 'tcp', '2001:db8::2', 9082), '');
    assert.equal(ask(undefined, 'tcp', '::1', 8081), 'web 172.17.0.1');
    assert.equal(askBriefly(neighbour, 'tcp', hostAddress, 8081), '');
    assert.equal(ask(neighbour, 'tcp', hostAddress, 8082), 'web 172.17.0.1');
    assert.equal(askBriefly(neighbour, 'tcp', '2001:db8::2', 8082), '');
  });

  test('a container on an internal network reaches no relayed port at its own gateway', async () => {
    const { netnsPath, ...inner } = await testbed.run('inner', on('back'));
    await serve(undefined, 'tcp', 9000, 'host');
    const gateway = testbed.networks.get('back').ipam.v6?.[0]?.gateway ?? '';
    assert.ok(inner.endpoints[0]?.addresses.v6);
    sh('socat TCP6-LISTEN:9001,fork,reuseaddr SYSTEM:"echo host" >/dev/null 2>&1 &');
    await eventually('the host answers', () => askBriefly(netnsPath, 'tcp', gateway, 9001) === 'host');
    for (const protocol of ['tcp', 'udp'] as const)
      for (const port of [8080, 9080])
        assert.equal(askBriefly(netnsPath, protocol, gateway, port), '', `${protocol} ${port}`);
    assert.equal(askBriefly(netnsPath, 'tcp', gateway, 8082), '');
    await testbed.remove(inner.containerId);
  });

  test('a restarted daemon relays again; the port of a stopped container is refused', async () => {
    await testbed.networks.close();
    assert.equal(askBriefly(neighbour, 'tcp', hostAddress, 8080), '', 'there is no relay without a daemon');
    await testbed.open().start([...testbed.containers.keys()]);
    await eventually('relayed again', () => askBriefly(neighbour, 'tcp', hostAddress, 8080) === 'web 172.17.0.1');
    await testbed.stop(web.containerId);
    assert.equal(askBriefly(neighbour, 'tcp', hostAddress, 8080), '');
    kernel.reservePort('tcp', '::', 8080).close();
  });
});
