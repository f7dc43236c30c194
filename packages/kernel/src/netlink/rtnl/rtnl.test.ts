/** Encoded requests, each with its equivalent command (little-endian, like all machines that Node runs on). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetyardError } from '@netyard/core';
import { assertBytes, type GoldenRow, goldenBytes } from '@netyard/testkit';
import { Attributes, encodeAttributes, text, u32 } from '../attribute.ts';
import { decodeAcknowledgement, decodeMessages, encodeMessage } from '../message.ts';
import { decodeTableComment, encodeTableQuery } from '../nft/table.ts';
import { decodeAddress, encodeAddress } from './address.ts';
import {
  decodeLink,
  decodeStatistics,
  encodeBridge,
  encodeDummy,
  encodeIpvlanChange,
  encodeIpvlanLink,
  encodeLinkChange,
  encodeLinkProbe,
  encodeVeth,
  encodeVlanLink,
} from './link.ts';
import { decodeStatisticsMessage, encodeStatisticsQuery } from './link-statistics.ts';
import { encodeNeighbour, encodeNeighbourProxy } from './neighbour.ts';
import { decodeRoute, encodeRoute } from './route.ts';

const golden: [command: string, bytes: Uint8Array, rows: GoldenRow[]][] = [
  [
    'ip link add br0 address 02:42:00:00:00:01 mtu 1400 up type bridge stp_state 0',
    encodeBridge({ name: 'br0', mac: '02:42:00:00:00:01', mtu: 1400, up: true, stp: false }),
    [
      ['00 00 0000 00000000 01000000 01000000', 'ifinfomsg: any family, new, IFF_UP of IFF_UP'],
      ['0800 0300 62723000', 'IFLA_IFNAME br0'],
      ['0a00 0100 024200000001 0000', 'IFLA_ADDRESS, padded'],
      ['0800 0400 78050000', 'IFLA_MTU 1400'],
      ['1c00 1280', 'IFLA_LINKINFO, nested'],
      ['0b00 0100 62726964676500 00', 'IFLA_INFO_KIND bridge'],
      ['0c00 0280', 'IFLA_INFO_DATA, nested'],
      ['0800 0500 00000000', 'IFLA_BR_STP_STATE 0'],
    ],
  ],
  [
    'ip link add ny1 master #3 up numtxqueues 1 numrxqueues 1 type veth peer name eth0 address 02:42:ac:11:00:02 netns fd 7 numtxqueues 1 numrxqueues 1',
    encodeVeth({ name: 'ny1', master: 3, up: true, peer: { name: 'eth0', mac: '02:42:ac:11:00:02', netnsFd: 7 } }),
    [
      ['00 00 0000 00000000 01000000 01000000', 'ifinfomsg: up'],
      ['0800 0300 6e793100', 'IFLA_IFNAME ny1'],
      ['0800 0a00 03000000', 'IFLA_MASTER 3'],
      ['0800 1f00 01000000', 'IFLA_NUM_TX_QUEUES 1'],
      ['0800 2000 01000000', 'IFLA_NUM_RX_QUEUES 1'],
      ['5800 1280', 'IFLA_LINKINFO, nested'],
      ['0900 0100 7665746800 000000', 'IFLA_INFO_KIND veth'],
      ['4800 0280', 'IFLA_INFO_DATA, nested'],
      ['4400 0180', 'VETH_INFO_PEER, nested'],
      ['00 00 0000 00000000 00000000 00000000', 'ifinfomsg of the peer: born down'],
      ['0900 0300 6574683000 000000', 'IFLA_IFNAME eth0'],
      ['0a00 0100 0242ac110002 0000', 'IFLA_ADDRESS'],
      ['0800 1c00 07000000', 'IFLA_NET_NS_FD 7'],
      ['0800 1f00 01000000', 'IFLA_NUM_TX_QUEUES 1'],
      ['0800 2000 01000000', 'IFLA_NUM_RX_QUEUES 1'],
    ],
  ],
  [
    'ip link set ny1 alias c; bridge link set dev ny1 hairpin on',
    encodeLinkChange('ny1', { alias: 'c', hairpin: true }),
    [
      ['00 00 0000 00000000 00000000 00000000', 'ifinfomsg: no index, flags untouched'],
      ['0800 0300 6e793100', 'IFLA_IFNAME ny1'],
      ['0500 1400 63 000000', 'IFLA_IFALIAS c, without a NUL'],
      ['1c00 1280', 'IFLA_LINKINFO, nested'],
      ['0b00 0400 62726964676500 00', 'IFLA_INFO_SLAVE_KIND bridge'],
      ['0c00 0580', 'IFLA_INFO_SLAVE_DATA, nested'],
      ['0500 0400 01 000000', 'IFLA_BRPORT_MODE 1'],
    ],
  ],
  [
    // Compared with what ip(8) sends: strace -X raw shows the same attributes, in another order.
    'ip link add link #3 name eth0 netns fd 7 type ipvlan mode l3s private',
    encodeIpvlanLink({ name: 'eth0', netnsFd: 7 }, 3, { mode: 'l3s', flag: 'private' }),
    [
      ['00 00 0000 00000000 00000000 00000000', 'ifinfomsg: created down'],
      ['0900 0300 6574683000 000000', 'IFLA_IFNAME eth0'],
      ['0800 1c00 07000000', 'IFLA_NET_NS_FD 7'],
      ['0800 0500 03000000', 'IFLA_LINK 3'],
      ['2400 1280', 'IFLA_LINKINFO, nested'],
      ['0b00 0100 6970766c616e00 00', 'IFLA_INFO_KIND ipvlan'],
      ['1400 0280', 'IFLA_INFO_DATA, nested'],
      ['0600 0100 0200 0000', 'IFLA_IPVLAN_MODE: IPVLAN_MODE_L3S'],
      ['0600 0200 0100 0000', 'IFLA_IPVLAN_FLAGS: IPVLAN_F_PRIVATE'],
    ],
  ],
  [
    'ip link set dev eth0 type ipvlan mode l2 bridge',
    encodeIpvlanChange('eth0', { mode: 'l2', flag: 'bridge' }),
    [
      ['00 00 0000 00000000 00000000 00000000', 'ifinfomsg: no index, flags untouched'],
      ['0900 0300 6574683000 000000', 'IFLA_IFNAME eth0'],
      ['2400 1280', 'IFLA_LINKINFO, nested'],
      ['0b00 0100 6970766c616e00 00', 'IFLA_INFO_KIND ipvlan'],
      ['1400 0280', 'IFLA_INFO_DATA, nested'],
      ['0600 0100 0000 0000', 'IFLA_IPVLAN_MODE: IPVLAN_MODE_L2'],
      ['0600 0200 0000 0000', 'IFLA_IPVLAN_FLAGS: none'],
    ],
  ],
  [
    'ip link add link #3 name up0.10 type vlan id 10',
    encodeVlanLink({ name: 'up0.10' }, 3, 10),
    [
      ['00 00 0000 00000000 00000000 00000000', 'ifinfomsg: created down'],
      ['0b00 0300 7570302e313000 00', 'IFLA_IFNAME up0.10'],
      ['0800 0500 03000000', 'IFLA_LINK 3'],
      ['1c00 1280', 'IFLA_LINKINFO, nested'],
      ['0900 0100 766c616e00 000000', 'IFLA_INFO_KIND vlan'],
      ['0c00 0280', 'IFLA_INFO_DATA, nested'],
      ['0600 0100 0a00 0000', 'IFLA_VLAN_ID 10'],
    ],
  ],
  [
    'ip link add dm-1 type dummy',
    encodeDummy({ name: 'dm-1' }),
    [
      ['00 00 0000 00000000 00000000 00000000', 'ifinfomsg: created down'],
      ['0900 0300 646d2d3100 000000', 'IFLA_IFNAME dm-1'],
      ['1000 1280', 'IFLA_LINKINFO, nested'],
      ['0a00 0100 64756d6d7900 0000', 'IFLA_INFO_KIND dummy'],
    ],
  ],
  [
    'ip link add address 01:00:00:00:00:00 type ipvlan, which creates nothing',
    encodeLinkProbe('ipvlan'),
    [
      ['00 00 0000 00000000 00000000 00000000', 'ifinfomsg: no index'],
      ['0a00 0100 010000000000 0000', 'IFLA_ADDRESS, a multicast address'],
      ['1000 1280', 'IFLA_LINKINFO, nested'],
      ['0b00 0100 6970766c616e00 00', 'IFLA_INFO_KIND ipvlan'],
    ],
  ],
  [
    'ip link set dev #5 name eth9 down',
    encodeLinkChange(5, { name: 'eth9', up: false }),
    [
      ['00 00 0000 05000000 00000000 01000000', 'ifinfomsg: index 5, not IFF_UP'],
      ['0900 0300 6574683900 000000', 'IFLA_IFNAME eth9'],
    ],
  ],
  [
    'ip address add 172.17.0.2/16 broadcast 172.17.255.255 dev #2',
    encodeAddress({ linkIndex: 2, prefix: '172.17.0.2/16', broadcast: '172.17.255.255' }),
    [
      ['02 10 00 00 02000000', 'ifaddrmsg: AF_INET /16 universe, index 2'],
      ['0800 0200 ac110002', 'IFA_LOCAL'],
      ['0800 0100 ac110002', 'IFA_ADDRESS'],
      ['0800 0400 ac11ffff', 'IFA_BROADCAST'],
    ],
  ],
  [
    'ip address add fe80::2/64 dev #2 nodad',
    encodeAddress({ linkIndex: 2, prefix: 'fe80::2/64' }),
    [
      ['0a 40 00 fd 02000000', 'ifaddrmsg: AF_INET6 /64 link, index 2'],
      ['1400 0200 fe800000000000000000000000000002', 'IFA_LOCAL'],
      ['1400 0100 fe800000000000000000000000000002', 'IFA_ADDRESS'],
      ['0800 0800 02000000', 'IFA_FLAGS: IFA_F_NODAD'],
    ],
  ],
  [
    'ip route add default via 172.17.0.1',
    encodeRoute({ to: 'default', via: '172.17.0.1' }),
    [
      ['02 00 00 00 fe 03 00 01 00000000', 'rtmsg: AF_INET /0 main boot universe unicast'],
      ['0800 0500 ac110001', 'RTA_GATEWAY'],
      ['0800 0f00 fe000000', 'RTA_TABLE 254'],
    ],
  ],
  [
    'ip route add 10.8.0.0/24 via inet6 fd00::1 dev #2 metric 7 table 1000 onlink',
    encodeRoute({ to: '10.8.0.0/24', via: 'fd00::1', linkIndex: 2, metric: 7, table: 1000, onlink: true }),
    [
      ['02 18 00 00 00 03 00 01 04000000', 'rtmsg: AF_INET /24, table in an attribute, RTNH_F_ONLINK'],
      ['0800 0100 0a080000', 'RTA_DST'],
      ['1600 1200 0a00 fd000000000000000000000000000001 0000', 'RTA_VIA: AF_INET6'],
      ['0800 0400 02000000', 'RTA_OIF 2'],
      ['0800 0600 07000000', 'RTA_PRIORITY 7'],
      ['0800 0f00 e8030000', 'RTA_TABLE 1000'],
    ],
  ],
  [
    'ip route delete 10.8.0.0/24',
    encodeRoute({ to: '10.8.0.0/24' }, 'delete'),
    [
      ['02 18 00 00 fe 00 ff 00 00000000', 'rtmsg: any protocol, scope and type'],
      ['0800 0100 0a080000', 'RTA_DST'],
      ['0800 0f00 fe000000', 'RTA_TABLE 254'],
    ],
  ],
  [
    'ip route delete 10.8.0.0/24 proto 78',
    encodeRoute({ to: '10.8.0.0/24', protocol: 78 }, 'delete'),
    [
      ['02 18 00 00 fe 4e ff 00 00000000', 'rtmsg: protocol 78, any scope and type'],
      ['0800 0100 0a080000', 'RTA_DST'],
      ['0800 0f00 fe000000', 'RTA_TABLE 254'],
    ],
  ],
  [
    'ip neighbour replace 10.1.1.7 lladdr 02:00:00:00:00:07 dev #2 nud permanent',
    encodeNeighbour({ linkIndex: 2, address: '10.1.1.7', mac: '02:00:00:00:00:07' }),
    [
      ['02 00 0000 02000000 8000 00 00', 'ndmsg: AF_INET, index 2, NUD_PERMANENT'],
      ['0800 0100 0a010107', 'NDA_DST'],
      ['0a00 0200 020000000007 0000', 'NDA_LLADDR'],
    ],
  ],
  [
    'ip neighbour add proxy fd00::7 dev #2 protocol 78',
    encodeNeighbourProxy({ linkIndex: 2, address: 'fd00::7', protocol: 78 }),
    [
      ['0a 00 0000 02000000 0000 08 00', 'ndmsg: AF_INET6, index 2, NTF_PROXY'],
      ['1400 0100 fd00000000000000 0000000000000007', 'NDA_DST'],
      ['0500 0c00 4e 000000', 'NDA_PROTOCOL'],
    ],
  ],
  [
    'nft list table inet netyard',
    encodeTableQuery({ family: 'inet', name: 'netyard' }),
    [
      ['01 00 0000', 'nfgenmsg: NFPROTO_INET'],
      ['0c00 0100 6e65747961726400', 'NFTA_TABLE_NAME'],
    ],
  ],
];

for (const [command, bytes, rows] of golden) test(command, () => assertBytes(bytes, rows));

test('a message is encoded as header, sequence and padded payload, and decoded back', () => {
  const data = encodeMessage({ type: 18, flags: 0x301, sequence: 7, payload: Uint8Array.of(1, 2, 3) });
  assertBytes(data, [
    ['13000000', 'length 19'],
    ['1200', 'RTM_GETLINK'],
    ['0103', 'NLM_F_REQUEST | NLM_F_DUMP'],
    ['07000000', 'sequence'],
    ['00000000', 'port: the kernel sets it'],
    ['010203 00', 'payload, padded'],
  ]);
  const two = decodeMessages(goldenBytes([[Buffer.from(data).toString('hex').repeat(2), 'twice']]));
  assert.deepEqual(
    two.map(({ type, sequence, payload }) => [type, sequence, [...payload]]),
    [
      [18, 7, [1, 2, 3]],
      [18, 7, [1, 2, 3]],
    ],
  );
  assert.deepEqual(decodeMessages(data.subarray(0, 18)), [], 'a truncated message is ignored');
});

test('the VLAN id of a link is decoded, and ids that IEEE 802.1Q reserves are rejected', () => {
  const link = decodeLink(encodeVlanLink({ name: 'up0.10' }, 3, 4094));
  assert.deepEqual([link.kind, link.peerIndex, link.vlanId], ['vlan', 3, 4094]);
  for (const id of [0, 4095, 1.5]) assert.throws(() => encodeVlanLink({ name: 'x' }, 3, id), /invalid VLAN id/);
});

test('an error acknowledgement yields errno and the kernel’s message', () => {
  const payload = goldenBytes([
    ['efffffff', 'minus EEXIST'],
    ['20000000 1000 0500 01000000 00000000', 'header of the request'],
    ['0e00 0100 6e6f742074686174 2100 0000', 'NLMSGERR_ATTR_MSG'],
  ]);
  assert.deepEqual(decodeAcknowledgement({ type: 2, flags: 0x300, sequence: 1, payload }), {
    errno: 17,
    text: 'not that!',
  });
  assert.deepEqual(decodeAcknowledgement({ type: 2, flags: 0, sequence: 1, payload: new Uint8Array(20) }), {
    errno: 0,
  });
});

test('links, addresses and routes of the kernel are decoded', () => {
  const link = goldenBytes([
    ['00 00 0100 08000000 43100000 00000000', 'ifinfomsg: ARPHRD_ETHER, index 8, UP, BROADCAST, RUNNING'],
    ['0800 0300 6e793100', 'IFLA_IFNAME'],
    ['0800 0400 dc050000', 'IFLA_MTU'],
    ['0800 0500 02000000', 'IFLA_LINK: the peer'],
    ['0800 2500 01000000', 'IFLA_LINK_NETNSID'],
    ['0800 0a00 03000000', 'IFLA_MASTER'],
    ['0a00 0100 0242ac110002 0000', 'IFLA_ADDRESS'],
    ['0600 1400 6300 0000', 'IFLA_IFALIAS'],
    ['1000 1280 0900 0100 7665746800 000000', 'IFLA_LINKINFO: veth'],
  ]);
  assert.deepEqual(decodeLink(link), {
    ...{ index: 8, name: 'ny1', kind: 'veth', mac: '02:42:ac:11:00:02', mtu: 1500, up: true, running: true },
    ...{ masterIndex: 3, peerIndex: 2, peerNsId: 1, alias: 'c' },
  });
  assert.deepEqual(decodeAddress(encodeAddress({ linkIndex: 2, prefix: '10.0.0.1/8', broadcast: '10.255.255.255' })), {
    ...{ linkIndex: 2, prefix: '10.0.0.1/8', scope: 0, broadcast: '10.255.255.255' },
  });
  const route = decodeRoute(encodeRoute({ to: 'fd00::/64', via: 'fe80::1', linkIndex: 2, metric: 9 }));
  assert.deepEqual(
    route && { to: route.to, via: route.via, family: route.family, metric: route.metric, table: route.table },
    {
      ...{ to: 'fd00::/64', via: 'fe80::1', family: 6, metric: 9, table: 254 },
    },
  );
  const counters = new Uint8Array(200);
  new BigUint64Array(counters.buffer).set([1n, 2n, 2n ** 63n, 4n, 5n, 6n, 7n, 8n]);
  assert.deepEqual(decodeStatistics(counters), {
    ...{ rxPackets: 1n, txPackets: 2n, rxBytes: 2n ** 63n, txBytes: 4n },
    ...{ rxErrors: 5n, txErrors: 6n, rxDropped: 7n, txDropped: 8n },
  });
});

test('IPv6 addresses that other hosts cannot rely on are marked', () => {
  const address = (family: number, attribute: number, head = 0): Uint8Array => {
    const prefix = goldenBytes([['14000100 fd000000000000000000000000000001', 'IFA_ADDRESS']]);
    const flags = attribute === 0 ? new Uint8Array() : encodeAttributes([u32(8, attribute)]);
    return Buffer.concat([Uint8Array.of(family, 64, head, 0, 2, 0, 0, 0), prefix, flags]);
  };
  const [TEMPORARY, NODAD, DADFAILED, DEPRECATED, TENTATIVE, PERMANENT] = [0x01, 0x02, 0x08, 0x20, 0x40, 0x80];
  for (const flag of [TEMPORARY, DADFAILED, DEPRECATED, TENTATIVE])
    assert.equal(decodeAddress(address(10, flag))?.transient, true, `flag ${flag}`);
  assert.equal(decodeAddress(address(10, 0, TEMPORARY))?.transient, true, 'a kernel without the attribute');
  assert.equal(decodeAddress(address(10, NODAD | PERMANENT))?.transient, undefined);
  const secondary = encodeAddress({ linkIndex: 2, prefix: '10.0.0.1/8' });
  secondary[2] = TEMPORARY; // IFA_F_SECONDARY of IPv4
  assert.equal(decodeAddress(secondary)?.transient, undefined);
});

test('statistics of a dump are decoded by link; messages without counters are skipped', () => {
  assert.equal(Buffer.from(encodeStatisticsQuery()).toString('hex'), `${'00000000'.repeat(2)}01000000`);
  const counters = new Uint8Array(8 * 8);
  new DataView(counters.buffer).setBigUint64(16, 5n, true);
  const head = goldenBytes([['00 00 0000 07000000 01000000', 'if_stats_msg of link 7, IFLA_STATS_LINK_64']]);
  const message = Buffer.concat([head, encodeAttributes([{ type: 1, value: counters }])]);
  const [index, statistics] = decodeStatisticsMessage(message) ?? [];
  assert.deepEqual([index, statistics?.rxBytes, statistics?.txBytes], [7, 5n, 0n]);
  for (const short of [head, message.subarray(0, 40), message.subarray(0, 5)])
    assert.equal(decodeStatisticsMessage(short), undefined);
});

test('a table’s comment is found in its user data', () => {
  const payload = goldenBytes([
    ['02 00 0000', 'nfgenmsg'],
    ['0d00 0600', 'NFTA_TABLE_USERDATA'],
    ['07 01 ff', 'some other kind'],
    ['00 04 61626300', 'comment abc'],
  ]);
  assert.equal(decodeTableComment(payload), 'abc');
});

test('truncated attributes decode without an exception, and flags are not part of the type', () => {
  const all = encodeAttributes([u32(0x8001, 5), text(2, 'name')]);
  for (let length = 0; length <= all.length; length += 1) new Attributes(all.subarray(0, length));
  assert.equal(new Attributes(all).u32(1), 5);
  assert.equal(new Attributes(all).text(2), 'name');
});

test('values that the kernel would misinterpret are rejected', () => {
  const bad = [
    () => encodeRoute({ to: '10.0.0.1/8' }),
    () => encodeRoute({ to: 'fd00::/64', family: 4 }),
    () => encodeRoute({ to: 'nowhere' }),
    () => encodeAddress({ linkIndex: 1, prefix: '10.0.0.1' }),
    () => encodeBridge({ name: '' }),
    () => encodeBridge({ name: 'sixteen-letters-' }),
    () => encodeBridge({ name: '..' }),
    () => encodeBridge({ name: 'a b' }),
    () => encodeBridge({ name: 'a/b' }),
    () => encodeBridge({ name: 'ok', mac: '1:2:3:4:5:6' }),
  ];
  for (const make of bad) assert.throws(make, (error) => isNetyardError(error, 'invalid'));
});
