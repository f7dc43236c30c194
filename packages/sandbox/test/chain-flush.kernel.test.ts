/**
 * Tests that no port opens and no connection breaks while another program flushes single chains of Netyard's tables.
 * NETYARD_FLUSH_ROUNDS=200 is the long version.
 */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { openKernel } from '@netyard/kernel';
import { addNeighbour, addUplink, askBriefly, eventually, inFreshHost, serve, sh } from '@netyard/testkit';
import { Echo } from './echo-client.ts';
import { Testbed } from './testbed.ts';

const host = await inFreshHost(import.meta.url);
const neighbour = '/run/netns/neighbour';
const arrivals = '/run/netns/arrivals';
const rounds = Number(process.env['NETYARD_FLUSH_ROUNDS'] ?? '90');

describe('a flush of single chains', host, () => {
  const kernel = openKernel();
  const testbed = new Testbed({ kernel });
  let address = '';
  let other = '';

  /** Every packet or connection that arrives is recorded. */
  const record = (ns: string, protocol: 'tcp' | 'udp', port: number, what: string): Promise<void> =>
    serve(ns, protocol, port, what, { program: `SYSTEM:echo ${what} >> ${arrivals}` });

  before(async () => {
    sh('sysctl -qw net.ipv4.ip_forward=0'); // so that the daemon enables it, for containers only
    addUplink();
    addNeighbour('neighbour', 9);
    sh(
      'ip netns add far; ip link add far0 type veth peer name eth0 netns far; ip address add 198.51.100.1/24 dev far0',
    );
    sh('ip link set far0 up; ip -n far link set eth0 up; ip -n far address add 198.51.100.9/24 dev eth0');
    sh('ip -n neighbour route add default via 192.0.2.1; ip -n far route add default via 198.51.100.1');
    await testbed.networks.start([]);
    const web = await testbed.run('web', { ports: [{ protocol: 'tcp', containerPort: 80, hostPort: 8801 }] });
    address = web.endpoints[0]?.addresses.v4?.address ?? '';
    other = (await testbed.run('other')).netnsPath ?? '';
    appendFileSync(arrivals, '');
    await serve(web.netnsPath, 'tcp', 80, 'web', { program: 'EXEC:cat' });
    await record(web.netnsPath ?? '', 'tcp', 81, 'tcp');
    await record(web.netnsPath ?? '', 'udp', 53, 'udp');
    await record('/run/netns/far', 'udp', 53, 'routed');
  });

  after(async () => {
    await testbed.close();
    kernel.close();
  });

  /**
   * Destinations that must be unreachable for the neighbour: an unpublished TCP and UDP port, and a host behind this
   * one.
   */
  const probe = (ns: string, seconds = 0.05): string =>
    `nsenter --net=${ns} bash -c 'echo x >/dev/udp/${address}/53; echo x >/dev/udp/198.51.100.9/53; timeout ${seconds} bash -c "echo x >/dev/tcp/${address}/81"' || true`;

  const names = (listing: string, kind: string): string[] =>
    [...listing.matchAll(new RegExp(`^\\t(?:${kind}) (\\S+) \\{`, 'gm'))].map((match) => match[1] ?? '');

  /** Flushes each chain, set and map, and adds the rules that an administrator may add by mistake. */
  const changes = (): string[] => {
    const listing = sh('nft list table ip netyard');
    return [
      ...names(listing, 'chain').map((chain) => `flush chain ip netyard ${chain}`),
      ...names(listing, 'set').map((set) => `flush set ip netyard ${set}`),
      ...names(listing, 'map').map((map) => `flush map ip netyard ${map}`),
      ...['to_bridge', 'forward', 'foreign_forward'].map((chain) => `insert rule ip netyard ${chain} accept`),
    ];
  };

  test('the recorder sees arrivals when the port is open', async () => {
    sh(probe(other, 60));
    await eventually('they are counted', () => readFileSync(arrivals, 'utf8').split('\n').length === 4);
    sh(`: > ${arrivals}`);
  });

  test(`${rounds} rounds of flushes open no port and break no connection`, async () => {
    const known = changes();
    assert.ok(known.length > 30 && rounds >= known.length, known.join('; '));
    const echo = new Echo(neighbour, '192.0.2.1', 8801);
    await echo.answers();
    for (let round = 0; round < rounds; round += 1) {
      const change = known[round % known.length] ?? '';
      // sh() blocks this process, which also does the repair.
      sh(`nft '${change}' && ${probe(neighbour)}`);
      assert.equal(readFileSync(arrivals, 'utf8'), '', change);
      await echo.answers();
    }
    await echo.end();
    await eventually('the port is published again', () => /8801/.test(sh('nft list map ip netyard published_any')));
    await eventually('it is reached', () => askBriefly(neighbour, 'tcp', '192.0.2.1', 8801) === 'hello');
    assert.equal(readFileSync(arrivals, 'utf8'), '');
  });
});
