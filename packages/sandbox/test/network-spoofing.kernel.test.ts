/**
 * Tests that a container on a user-defined network cannot forge source addresses: MAC, IPv4, ARP, and cannot pose as DHCP
 * server or IPv6 router; and that it can on a network with `netyard.spoofing=allow`.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { eventually, inFreshHost, pings, pingsBriefly, sh } from '@netyard/testkit';
import { addressOf, bridgeNetwork, type Container, describeBridges, on } from './bridge-networks.ts';
import {
  arpFrame,
  broadcast,
  bytesOf,
  checksum,
  digitsOf,
  foreignMac,
  inside,
  sendFrames,
  sniff,
} from './forged-frames.ts';

const host = inFreshHost(import.meta.url);

const networks = [
  bridgeNetwork('checked', 30),
  bridgeNetwork('free', 31, { options: { 'netyard.spoofing': 'allow' } }),
  bridgeNetwork('apart', 32, { options: { enable_icc: 'false' } }),
];

/** An Ethernet frame (hexadecimal) with a UDP packet that contains `text`; its UDP checksum is 0, not computed. */
function udpFrame(
  from: { mac: string; address: string; port?: number },
  to: string,
  port: number,
  text: string,
): string {
  const payload = Buffer.from(text.length % 2 === 0 ? text : `${text} `);
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(from.port ?? 4000, 0);
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(8 + payload.length, 4);
  const header = Buffer.from([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, ...bytesOf(from.address), ...bytesOf(to)]);
  header.writeUInt16BE(28 + payload.length, 2);
  header.writeUInt16BE(checksum(header), 10);
  return `${broadcast}${digitsOf(from.mac)}0800${Buffer.concat([header, udp, payload]).toString('hex')}`;
}

/** An IPv6 packet to all nodes; `next` and `body` are hexadecimal. Its checksum is not valid, which a sniffer ignores. */
function ipv6Frame(mac: string, next: string, body: string): string {
  const source = 'fe800000000000000000000000000066';
  const length = (body.length / 2).toString(16).padStart(4, '0');
  return `333300000001${digitsOf(mac)}86dd60000000${length}${next}ff${source}ff020000000000000000000000000001${body}`;
}

const hexOf = (text: string): string => Buffer.from(text).toString('hex');

/** What routers send (RFC 4861, sections 4.2 and 4.5), and DHCPv6 servers (RFC 8415). */
const ipv6Frames = (mac: string): Record<string, string> => ({
  'router advertisement': ipv6Frame(mac, '3a', `86000000400007080000000000000000${hexOf('router advertisement')}`),
  redirect: ipv6Frame(mac, '3a', `8900000000000000${hexOf('redirect')}`),
  'DHCPv6 reply': ipv6Frame(mac, '11', `022302220014000007${hexOf('DHCPv6 reply')}`),
});

describeBridges(host, { networks: [] }, (testbed) => {
  test('the first user-defined network that is created is checked, and so are those after a restart', async () => {
    await testbed.networks.create({ name: 'made', driver: 'bridge' });
    const [one, two] = [await testbed.run('one', { mode: on('made') }), await testbed.run('two', { mode: on('made') })];
    const foreign = addressOf(one).replace(/\d+$/, '200');
    inside(one, 'ip', 'address', 'add', `${foreign}/16`, 'dev', 'eth0');
    const check = (): void => {
      assert.ok(pings(two.netnsPath, addressOf(one)));
      assert.ok(!pingsBriefly(two.netnsPath, foreign));
    };
    check();
    await testbed.networks.close();
    await testbed.open().start([...testbed.containers.keys()]);
    check();
    await testbed.remove(one.containerId);
    await testbed.remove(two.containerId);
    await testbed.networks.remove('made');
  });
});

describeBridges(host, { networks }, (testbed) => {
  const containers = new Map<string, Container>();
  const container = (name: string): Container => containers.get(name) ?? assert.fail(name);
  const macOf = (one: Container): string => one.endpoints[0]?.mac ?? '';

  before(async () => {
    for (const network of ['checked', 'free', 'apart'])
      for (const role of ['victim', 'attacker', 'other'])
        containers.set(`${network} ${role}`, await testbed.run(`${network}-${role}`, { mode: on(network) }));
  });

  /**
   * Sends frames, each with a text of its own, and at last a correct one. Returns the texts that arrived at the victim
   * and at the host before that.
   */
  async function receivedOf(t: TestContext, network: string, frames: Record<string, string>): Promise<string[][]> {
    const [victim, attacker] = [container(`${network} victim`), container(`${network} attacker`)];
    const byVictim = await sniff(t, join(testbed.directory, `victim-${network}`), {
      ns: victim.netnsPath,
      link: 'eth0',
    });
    const byHost = await sniff(t, join(testbed.directory, `host-${network}`), { link: `br-${network}` });
    const own = { mac: macOf(attacker), address: addressOf(attacker) };
    sendFrames(attacker, ...Object.values(frames), udpFrame(own, '255.255.255.255', 5000, 'a correct frame'));
    await eventually('the host receives the correct frame', () => byHost('a correct frame'));
    if (network !== 'apart') await eventually('the victim receives it, too', () => byVictim('a correct frame'));
    return [byVictim, byHost].map((received) => Object.keys(frames).filter((text) => received(text)));
  }

  const forged = (network: string): Record<string, string> => {
    const [attacker, other] = [container(`${network} attacker`), container(`${network} other`)];
    const [mac, address] = [macOf(attacker), addressOf(attacker)];
    const everyone = '255.255.255.255';
    return {
      // EtherType 0x88b5 is for experiments (IEEE 802).
      'foreign MAC, other protocol;': `${broadcast}${digitsOf(foreignMac)}88b5${hexOf('foreign MAC, other protocol;')}`,
      ...Object.fromEntries(
        [
          ['foreign MAC;', { mac: foreignMac, address }, 5000],
          ['MAC of a neighbour;', { mac: macOf(other), address }, 5000],
          ['foreign address;', { mac, address: '192.0.2.77' }, 5000],
          ['address of a neighbour;', { mac, address: addressOf(other) }, 5000],
          ['both of a neighbour;', { mac: macOf(other), address: addressOf(other) }, 5000],
          ['DHCP offer;', { mac, address, port: 67 }, 68],
          ['DHCP offer from another port;', { mac, address, port: 4011 }, 68],
        ].map(([text, from, port]) => [
          text as string,
          udpFrame(from as { mac: string; address: string }, everyone, port as number, text as string),
        ]),
      ),
    };
  };

  for (const network of ['checked', 'apart'])
    test(`${network}: IP packets with foreign source addresses and DHCP offers reach no host`, async (t) => {
      assert.deepEqual(await receivedOf(t, network, forged(network)), [[], []]);
    });

  test('free: the same packets arrive', async (t) => {
    const frames = forged('free');
    assert.deepEqual(await receivedOf(t, 'free', frames), [Object.keys(frames), Object.keys(frames)]);
  });

  for (const network of ['checked', 'free'])
    test(`${network}: what IPv6 routers and servers send ${network === 'free' ? 'arrives' : 'does not'}`, async (t) => {
      const frames = ipv6Frames(macOf(container(`${network} attacker`)));
      const expected = network === 'free' ? Object.keys(frames) : [];
      assert.deepEqual(await receivedOf(t, network, frames), [expected, expected]);
    });

  /** The MACs that the victim and the host have for an address, after the attacker claimed it. */
  function claims(network: string, number: number): { gateway: () => string; victim: () => string; forge: () => void } {
    const [victim, attacker] = [container(`${network} victim`), container(`${network} attacker`)];
    const [gateway, address, mac] = [`10.${number}.0.1`, addressOf(victim), macOf(attacker)];
    return {
      gateway: () => inside(victim, 'ip', 'neighbour', 'show', gateway, 'dev', 'eth0'),
      victim: () => sh(`ip neighbour show ${address} dev br-${network}`),
      forge: () => {
        sendFrames(
          attacker,
          ...([1, 2] as const).flatMap((operation) => [
            arpFrame(mac, mac, gateway, address, operation),
            arpFrame(mac, mac, address, gateway, operation),
            arpFrame(foreignMac, mac, gateway, address, operation),
            arpFrame(mac, foreignMac, gateway, address, operation),
          ]),
        );
      },
    };
  }

  test('checked: ARP with a foreign sender changes no neighbour entry', async () => {
    const { gateway, victim, forge } = claims('checked', 30);
    assert.ok(pings(container('checked victim').netnsPath, '10.30.0.1'));
    const genuine = [gateway(), victim()].map((entry) => /lladdr (\S+)/.exec(entry)?.[1]);
    // The kernel ignores a change within a second of the last one (locktime).
    for (let round = 0; round < 3; round += 1) {
      forge();
      await new Promise((resolve) => setTimeout(resolve, 600));
    }
    assert.deepEqual(
      [gateway(), victim()].map((entry) => /lladdr (\S+)/.exec(entry)?.[1]),
      genuine,
    );
  });

  test('free: the same ARP takes over the gateway and the victim', async () => {
    const { gateway, victim, forge } = claims('free', 31);
    assert.ok(pings(container('free victim').netnsPath, '10.31.0.1'));
    const attackers = new RegExp(`${macOf(container('free attacker'))}|${foreignMac}`);
    const reaches = (entry: () => string): boolean => {
      forge();
      return attackers.test(entry());
    };
    await eventually('the host takes the attacker for the victim', () => reaches(victim));
    await eventually('the victim takes the attacker for the gateway', () => reaches(gateway));
  });

  test('the bridge does not learn a MAC that an attacker claims', async () => {
    const [victim, attacker] = [container('checked victim'), container('checked attacker')];
    assert.ok(pings(victim.netnsPath, '10.30.0.1'));
    sendFrames(attacker, udpFrame({ mac: macOf(victim), address: addressOf(victim) }, '10.30.0.1', 5000, 'x'));
    const port = sh(`bridge fdb show br br-checked | grep '^${macOf(victim)} '`);
    assert.match(port, new RegExp(`dev ${victim.endpoints[0]?.hostLink} `));
  });

  test('correct traffic passes: echo requests, duplicate address detection, link-local addresses', async (t) => {
    const config = { network: 'checked', linkLocalAddresses: ['169.254.7.7'] };
    const more = await testbed.run('more', { mode: on('checked'), endpoints: [config] });
    const victim = container('checked victim');
    assert.ok(pings(more.netnsPath, addressOf(victim)));
    assert.ok(pings(victim.netnsPath, addressOf(more)));
    inside(victim, 'ip', 'route', 'add', '169.254.0.0/16', 'dev', 'eth0');
    assert.ok(pings(victim.netnsPath, '169.254.7.7'));
    // A probe (RFC 5227) has the sender 0.0.0.0; the address's owner replies.
    const received = await sniff(t, join(testbed.directory, 'probe'), { ns: more.netnsPath, link: 'eth0' });
    const mac = macOf(more);
    sendFrames(more, arpFrame(mac, mac, '0.0.0.0', addressOf(victim), 1));
    const reply = Buffer.from(`0002${digitsOf(macOf(victim))}${bytesOf(addressOf(victim)).toString('hex')}`, 'hex');
    await eventually('the probe is answered', () => received(reply.toString('latin1')));
    await testbed.remove(more.containerId);
  });

  test('an address that a container adds to itself works only where spoofing is allowed', () => {
    for (const [network, number] of [
      ['checked', 30],
      ['free', 31],
    ] as const) {
      const address = `10.${number}.0.99`;
      inside(container(`${network} other`), 'ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
      if (network === 'free') assert.ok(pings(container('free victim').netnsPath, address));
      else assert.ok(!pingsBriefly(container('checked victim').netnsPath, address));
    }
  });

  test('nothing is left when the containers have stopped', async () => {
    for (const { containerId } of containers.values()) await testbed.remove(containerId);
    for (const set of ['isolated_ports', 'checked_ports', 'endpoint_macs', 'endpoint_addresses'])
      assert.doesNotMatch(sh(`nft list set bridge netyard ${set}`), /elements/);
  });
});
