/**
 * Tests that a container on a user-defined network cannot forge IPv6: source addresses, neighbour discovery, what routers and
 * DHCPv6 servers send; and that it can on a network with `netyard.spoofing=allow`. As network-spoofing.kernel.test.ts.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { linkLocalOfMac } from '@netyard/core';
import { eventually, inFreshHost, pings, pingsBriefly, sh } from '@netyard/testkit';
import * as bridges from './bridge-networks.ts';
import { type Container, describeBridges, on } from './bridge-networks.ts';
import { bytesOf, checksum, digitsOf, foreignMac, inside, sendFrames, sniff } from './forged-frames.ts';

const host = inFreshHost(import.meta.url);

const families = ['v6'] as const;
const networks = [
  bridges.bridgeNetwork('checked', 30, { families }),
  bridges.bridgeNetwork('free', 31, { families, options: { 'netyard.spoofing': 'allow' } }),
];
const numbers: Record<string, number> = { checked: 30, free: 31 };
const addressOf = (container: Container): string => bridges.addressOf(container, undefined, 'v6');

/** The elements of a listing, in the order of their text: a set that is filled again may list them in another one. */
const sorted = (listing: string): string =>
  listing
    .split(/[,\n]/)
    .map((line) => line.trim())
    .sort()
    .join('\n');

const everyone = 'ff02::1';
const mac = (text: string): Buffer => Buffer.from(digitsOf(text), 'hex');

interface Sender {
  mac: string;
  address: string;
}

/**
 * An Ethernet frame (hexadecimal) to everyone with an IPv6 packet; `next` is its protocol, whose checksum is at `sumAt`. The
 * frame ends with `text`, behind the packet, by which a sniffer recognizes it.
 */
function frame(from: Sender, to: string, text: string, { next, body, sumAt, extension = false }: Packet): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const addresses = Buffer.concat([bytesOf(from.address), bytesOf(to)]);
  const pseudo = Buffer.concat([addresses, length, Buffer.from([0, 0, 0, next])]);
  const packet = Buffer.from(body);
  packet.writeUInt16BE(checksum(Buffer.concat([pseudo, body, Buffer.alloc(body.length % 2)])), sumAt);
  // Destination options (RFC 8200) that consist of padding.
  const payload = extension ? Buffer.concat([Buffer.from([next, 0, 1, 4, 0, 0, 0, 0]), packet]) : packet;
  const header = Buffer.from([0x60, 0, 0, 0, 0, payload.length, extension ? 60 : next, 255]);
  const ethernet = Buffer.concat([mac('33:33:00:00:00:01'), mac(from.mac), Buffer.from([0x86, 0xdd])]);
  return Buffer.concat([ethernet, header, addresses, payload, Buffer.from(text)]).toString('hex');
}

interface Packet {
  next: number;
  body: Buffer;
  sumAt: number;
  extension?: boolean;
}

const icmp = (type: number, rest: Buffer, ...options: Buffer[]): Packet => ({
  ...{ next: 58, body: Buffer.concat([Buffer.from([type, 0, 0, 0]), rest, ...options]), sumAt: 2 },
});
const udp = (from: number, to: number): Packet => {
  const body = Buffer.alloc(8);
  body.writeUInt16BE(from, 0);
  body.writeUInt16BE(to, 2);
  body.writeUInt16BE(8, 4);
  return { next: 17, body, sumAt: 6 };
};
/** Options of RFC 4861, section 4.6.1; 14 is a nonce (RFC 3971). */
const option = (type: 1 | 2 | 14, lladdr: string): Buffer => Buffer.concat([Buffer.from([type, 1]), mac(lladdr)]);
const solicit = (target: string, ...options: Buffer[]): Packet =>
  icmp(135, Buffer.concat([Buffer.alloc(4), bytesOf(target)]), ...options);
/** With the flag that overrides the neighbour's entry. */
const advertise = (target: string, ...options: Buffer[]): Packet =>
  icmp(136, Buffer.concat([Buffer.from([0x20, 0, 0, 0]), bytesOf(target)]), ...options);

// With br_netfilter the kernel cuts what follows a packet, later than the rules see it.
describeBridges(host, { networks, bridgeNetfilter: ['0'] }, (testbed) => {
  const containers = new Map<string, Container>();
  const container = (name: string): Container => containers.get(name) ?? assert.fail(name);
  const macOf = (one: Container): string => one.endpoints[0]?.mac ?? '';

  before(async () => {
    for (const network of ['checked', 'free'])
      for (const role of ['victim', 'attacker', 'other'])
        containers.set(`${network} ${role}`, await testbed.run(`${network}-${role}`, { mode: on(network) }));
  });

  /** Sends packets, and at last a correct one. Returns the texts that arrived at the victim and the host before that. */
  async function receivedOf(t: TestContext, network: string, packets: Forged): Promise<string[][]> {
    const [victim, attacker] = [container(`${network} victim`), container(`${network} attacker`)];
    const received = [
      await sniff(t, join(testbed.directory, `victim-${network}`), { ns: victim.netnsPath, link: 'eth0' }),
      await sniff(t, join(testbed.directory, `host-${network}`), { link: `br-${network}` }),
    ];
    const own = { mac: macOf(attacker), address: addressOf(attacker) };
    const frames = Object.entries(packets).map(([text, [from, packet]]) => frame(from, everyone, `${text};`, packet));
    sendFrames(attacker, ...frames, frame(own, everyone, 'a correct packet;', udp(4000, 5000)));
    for (const has of received) await eventually('the correct packet arrives', () => has('a correct packet;'));
    return received.map((has) => Object.keys(packets).filter((text) => has(`${text};`)));
  }
  type Forged = Record<string, [Sender, Packet]>;

  const peopleOf = (network: string) => {
    const [victim, attacker] = [container(`${network} victim`), container(`${network} attacker`)];
    const own = { mac: macOf(attacker), address: addressOf(attacker) };
    return { victim, attacker, own, link: { ...own, address: linkLocalOfMac(own.mac) } };
  };

  /** What must not arrive. */
  function forged(network: string): Forged {
    const { victim, own, link } = peopleOf(network);
    const gateway = `fd00:${numbers[network]}::1`;
    const as = (address: string): Sender => ({ mac: own.mac, address });
    const source = option(1, own.mac);
    return {
      'foreign MAC': [{ ...own, mac: foreignMac }, udp(1, 5000)],
      'foreign address': [as('2001:db8::77'), udp(1, 5000)],
      'address of a neighbour': [as(addressOf(victim)), udp(1, 5000)],
      'address of the gateway': [as(gateway), udp(1, 5000)],
      'link-local address of a neighbour': [as(linkLocalOfMac(macOf(victim))), udp(1, 5000)],
      'unspecified address': [as('::'), udp(1, 5000)],
      'router advertisement': [link, icmp(134, Buffer.from('4000070800000000000000000', 'hex'))],
      'router advertisement behind an option': [link, { ...icmp(134, Buffer.alloc(12)), extension: true }],
      'router solicitation': [link, icmp(133, Buffer.alloc(4), option(1, foreignMac))],
      redirect: [link, icmp(137, Buffer.concat([Buffer.alloc(4), bytesOf(gateway), bytesOf('2001:db8::9')]))],
      'multicast query': [link, icmp(130, Buffer.alloc(20))],
      'DHCPv6 reply': [link, udp(547, 546)],
      'solicitation of a neighbour': [as(addressOf(victim)), solicit(gateway, source)],
      'solicitation with a foreign MAC': [own, solicit(gateway, option(1, foreignMac))],
      'solicitation with a hidden MAC': [own, solicit(gateway, option(14, foreignMac), option(1, foreignMac))],
      'solicitation behind an option': [own, { ...solicit(gateway, source), extension: true }],
      "probe for a neighbour's address": [as('::'), solicit(addressOf(victim))],
      "advertisement of a neighbour's address": [own, advertise(addressOf(victim), option(2, own.mac))],
      'advertisement by a neighbour': [as(addressOf(victim)), advertise(addressOf(victim), option(2, own.mac))],
      'advertisement with a foreign MAC': [own, advertise(own.address, option(2, foreignMac))],
      "advertisement of the gateway's address": [link, advertise(gateway, option(2, own.mac))],
    };
  }

  test('checked: forged packets reach no host', async (t) => {
    assert.deepEqual(await receivedOf(t, 'checked', forged('checked')), [[], []]);
  });

  test('free: the same packets arrive', async (t) => {
    const packets = forged('free');
    assert.deepEqual(await receivedOf(t, 'free', packets), [Object.keys(packets), Object.keys(packets)]);
  });

  test('checked: correct packets arrive', async (t) => {
    const { own, link } = peopleOf('checked');
    const packets: Forged = {
      'link-local': [link, udp(1, 5000)],
      'solicitation with its MAC': [own, solicit('fd00:30::1', option(1, own.mac))],
      'solicitation without an option': [link, solicit('fd00:30::1')],
      'probe for its own address': [{ ...own, address: '::' }, solicit(link.address, option(14, foreignMac))],
      'advertisement of its address': [own, advertise(own.address, option(2, own.mac))],
      'advertisement of its link-local address': [own, advertise(link.address)],
      'multicast report': [{ ...own, address: '::' }, icmp(143, Buffer.alloc(4))],
    };
    const all = Object.keys(packets);
    assert.deepEqual(await receivedOf(t, 'checked', packets), [all, all]);
  });

  /** The MACs that the victim and the host have for each other's addresses; `forge` claims these for the attacker. */
  function claims(network: string): { entries: () => (string | undefined)[]; forge: () => void } {
    const { victim, attacker, own } = peopleOf(network);
    const gateway = `fd00:${numbers[network]}::1`;
    const lladdr = (entry: string): string | undefined => /lladdr (\S+)/.exec(entry)?.[1];
    const by = (address: string): Sender => ({ mac: own.mac, address });
    return {
      entries: () => [
        lladdr(inside(victim, 'ip', '-6', 'neighbour', 'show', gateway, 'dev', 'eth0')),
        lladdr(sh(`ip -6 neighbour show ${addressOf(victim)} dev br-${network}`)),
      ],
      forge: () => {
        const frames = [gateway, addressOf(victim)].flatMap((target) =>
          [own, by(target)].map((from) => frame(from, everyone, '', advertise(target, option(2, own.mac)))),
        );
        const other = (address: string): string => (address === gateway ? addressOf(victim) : gateway);
        const asking = [gateway, addressOf(victim)].map((address) =>
          frame(by(address), everyone, '', solicit(other(address), option(1, own.mac))),
        );
        sendFrames(attacker, ...frames, ...asking);
      },
    };
  }

  test('checked: forged neighbour discovery changes no neighbour entry', async () => {
    const { entries, forge } = claims('checked');
    assert.ok(pings(container('checked victim').netnsPath, 'fd00:30::1'));
    const genuine = entries();
    assert.ok(genuine.every((entry) => entry !== undefined));
    for (let round = 0; round < 3; round += 1) {
      forge();
      await pause(200);
    }
    assert.deepEqual(entries(), genuine);
    assert.ok(pings(container('checked victim').netnsPath, 'fd00:30::1'));
  });

  test('free: the same takes over the gateway and the victim', async () => {
    const { entries, forge } = claims('free');
    assert.ok(pings(container('free victim').netnsPath, 'fd00:31::1'));
    const attacker = macOf(container('free attacker'));
    await eventually('the attacker has both addresses', () => {
      forge();
      return entries().every((entry) => entry === attacker);
    });
  });

  test('a router advertisement changes no route and no setting of a container or the host', () => {
    const { victim, attacker, link } = peopleOf('free');
    const routes = (): string => inside(victim, 'ip', '-6', 'route') + sh('ip -6 route show dev br-free');
    const former = routes().replace(/ expires \d+sec/g, '');
    const advertisement = icmp(134, Buffer.from('400007080000000000000000', 'hex'), option(1, link.mac));
    sendFrames(attacker, frame(link, everyone, '', advertisement));
    assert.ok(pings(victim.netnsPath, linkLocalOfMac(macOf(attacker)), '-I', 'eth0'));
    assert.equal(routes().replace(/ expires \d+sec/g, ''), former);
  });

  test('correct traffic passes: neighbours, link-local addresses and their duplicate address detection', async () => {
    const requested = { network: 'checked', linkLocalAddresses: ['fe80::77'] };
    const more = await testbed.run('more', { mode: on('checked'), endpoints: [requested] });
    const victim = container('checked victim');
    assert.ok(pings(victim.netnsPath, 'fe80::77', '-I', 'eth0'), 'of --link-local-ip');
    assert.ok(pings(more.netnsPath, addressOf(victim)));
    const own = (): string => inside(more, 'ip', '-6', '-o', 'address', 'show', 'dev', 'eth0', 'scope', 'link');
    await eventually('the link-local address can be used', () => !own().includes('tentative'));
    assert.match(own(), new RegExp(`${linkLocalOfMac(macOf(more))}/64`));
    assert.ok(pings(more.netnsPath, linkLocalOfMac(macOf(victim)), '-I', 'eth0'));
    await testbed.remove(more.containerId);
  });

  test('an address that a container adds to itself works only where spoofing is allowed', () => {
    for (const [network, number] of Object.entries(numbers)) {
      const address = `fd00:${number}::99`;
      inside(container(`${network} other`), 'ip', 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad');
      if (network === 'free') assert.ok(pings(container('free victim').netnsPath, address));
      else assert.ok(!pingsBriefly(container('checked victim').netnsPath, address));
    }
  });

  const sets = ['checked_ports', 'endpoint_macs', 'endpoint_addresses6', 'endpoint_targets', 'endpoint_lladdrs'];

  test("a container's elements that another program deletes are created again", async () => {
    const listed = (): string[] => sets.map((set) => sh(`nft list set bridge netyard ${set}`)).map(sorted);
    const before = listed();
    for (const [index, set] of sets.entries()) {
      sh(`nft flush set bridge netyard ${set}`);
      await eventually(`${set} is complete`, () => listed()[index] === before[index]);
    }
    assert.deepEqual(listed(), before);
  });

  test("an element that another program adds for a container's interface is deleted", async () => {
    const { victim, attacker } = peopleOf('checked');
    const key = `"${attacker.endpoints[0]?.hostLink}" . ${macOf(attacker)} . ${addressOf(victim)}`;
    sh(`nft 'add element bridge netyard endpoint_addresses6 { ${key} }'`);
    await eventually('it is gone', () => !sh('nft list set bridge netyard endpoint_addresses6').includes(key));
  });

  test('nothing is left when the containers have stopped', async () => {
    for (const { containerId } of containers.values()) await testbed.remove(containerId);
    for (const set of ['endpoint_addresses6', 'endpoint_targets', 'endpoint_lladdrs'])
      assert.doesNotMatch(sh(`nft list set bridge netyard ${set}`), /elements/);
  });
});
