/** Answers of the kernel about one namespace: sockets, route types and next hops, rules, neighbour states, netconf, ids. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertBytes, goldenBytes } from '@netyard/testkit';
import { decodeNsId, encodeNsIdQuery } from './rtnl/namespace-id.ts';
import { decodeNeighbourState } from './rtnl/neighbour-state.ts';
import { decodeNetconf } from './rtnl/netconf.ts';
import { decodeRouteHops, routeType } from './rtnl/route-hops.ts';
import { decodeRule } from './rtnl/rule.ts';
import { decodeListener, encodeListenerQuery } from './sock-diag.ts';

test('ss -Hlnt -4; ss -Hlnu -6', () => {
  const id = ['00'.repeat(48), 'inet_diag_sockid: any'] as const;
  assertBytes(encodeListenerQuery(4, 'tcp'), [['02 06 00 00 00040000', 'AF_INET, TCP, 1 << TCP_LISTEN'], id]);
  assertBytes(encodeListenerQuery(6, 'udp'), [['0a 11 00 00 80000000', 'AF_INET6, UDP, 1 << TCP_CLOSE'], id]);
});

const listener = (family: string, source: string, link = '00000000', extra = '') =>
  goldenBytes([
    [`${family} 0a 00 00 0050 0000`, 'family, TCP_LISTEN, port 80'],
    [source.padEnd(32, '0'), 'source'],
    ['00'.repeat(16), 'destination'],
    [`${link} 0000000000000000`, 'link, cookie'],
    ['00000000 03000000 80000000 00000000 39300000', 'expires, waiting 3, backlog 128, uid, inode 12345'],
    [extra, 'attributes'],
  ]);

test('listening sockets are decoded: both families, mapped addresses, IPV6_V6ONLY, a bound link', () => {
  const rest = { port: 80, waiting: 3, backlog: 128, inode: 12345 };
  assert.deepEqual(decodeListener('tcp', listener('02', '0a010002')), {
    ...{ protocol: 'tcp', address: '10.1.0.2', v6only: false, ...rest },
  });
  assert.deepEqual(decodeListener('tcp', listener('0a', '', '07000000', '0500 0b00 01 000000')), {
    ...{ protocol: 'tcp', address: '::', v6only: true, linkIndex: 7, ...rest },
  });
  const mapped = decodeListener(
    'tcp',
    listener('0a', '00000000000000000000ffff0a010002', undefined, '0500 0b00 00 000000'),
  );
  assert.deepEqual([mapped?.address, mapped?.v6only], ['10.1.0.2', false]);
  const datagrams = decodeListener('udp', listener('02', '7f000001'));
  assert.deepEqual([datagrams?.address, datagrams?.waiting, datagrams?.backlog], ['127.0.0.1', 0, 0]);
  assert.equal(decodeListener('tcp', listener('01', '')), undefined, 'a unix socket');
  assert.equal(decodeListener('tcp', new Uint8Array(10)), undefined, 'truncated');
});

test('a route with two next hops is two entries, and types have their names', () => {
  const route = goldenBytes([
    ['02 08 00 00 fe 03 00 01 00000000', 'rtmsg: AF_INET /8 main boot universe unicast'],
    ['0800 0f00 fe000000', 'RTA_TABLE 254'],
    ['0800 0100 0a000000', 'RTA_DST'],
    ['2400 0900', 'RTA_MULTIPATH'],
    ['1000 00 00 02000000 0800 0500 c0000202', 'rtnexthop: link 2, RTA_GATEWAY 192.0.2.2'],
    ['1000 00 00 03000000 0800 0500 c0000203', 'rtnexthop: link 3, RTA_GATEWAY 192.0.2.3'],
  ]);
  assert.deepEqual(
    decodeRouteHops(route).map(({ to, via, linkIndex, type }) => [to, via, linkIndex, routeType(type)]),
    [
      ['10.0.0.0/8', '192.0.2.2', 2, 'unicast'],
      ['10.0.0.0/8', '192.0.2.3', 3, 'unicast'],
    ],
  );
  assert.deepEqual([2, 6, 7, 8, 0, 99].map(routeType), [
    ...['local', 'blackhole', 'unreachable', 'prohibit', 'other', 'other'],
  ]);
});

test('rules are decoded with what they select', () => {
  const rule = goldenBytes([
    ['02 00 10 00 00 00 00 01 02000000', 'fib_rule_hdr: AF_INET, from /16, FR_ACT_TO_TBL, FIB_RULE_INVERT'],
    ['0800 0f00 e8030000', 'FRA_TABLE 1000'],
    ['0800 0600 64000000', 'FRA_PRIORITY 100'],
    ['0800 0200 0a010000', 'FRA_SRC'],
    ['0900 0300 6574683000 000000', 'FRA_IIFNAME eth0'],
    ['0800 0a00 05000000 0800 1000 ff000000', 'FRA_FWMARK 5, FRA_FWMASK 255'],
  ]);
  assert.deepEqual(decodeRule(rule), {
    ...{ family: 4, priority: 100, not: true, action: 'lookup', table: 1000 },
    ...{ from: '10.1.0.0/16', inputLink: 'eth0', mark: 5, markMask: 255 },
  });
  const unreachable = goldenBytes([['0a 00 00 00 00 00 00 07 00000000', 'AF_INET6, FR_ACT_UNREACHABLE']]);
  assert.deepEqual(decodeRule(unreachable), { family: 6, priority: 0, not: false, action: 'unreachable' });
  assert.equal(decodeRule(Uint8Array.of(80, ...new Array<number>(11).fill(0))), undefined, 'another family');
});

test('learned neighbours are decoded with their state, multicast addresses are left out', () => {
  const neighbour = (state: string, type: string) =>
    goldenBytes([
      [`02 00 0000 02000000 ${state} 00 ${type}`, 'ndmsg: AF_INET, link 2'],
      ['0800 0100 0a010107', 'NDA_DST'],
    ]);
  assert.deepEqual(decodeNeighbourState(neighbour('2000', '01')), {
    ...{ linkIndex: 2, address: '10.1.1.7', state: 'failed' },
  });
  assert.equal(decodeNeighbourState(neighbour('4000', '05')), undefined);
});

test('netconf has the reverse path filter and forwarding of all links', () => {
  const all = goldenBytes([
    ['02 000000', 'netconfmsg: AF_INET'],
    ['0800 0100 ffffffff', 'NETCONFA_IFINDEX_ALL'],
    ['0800 0200 01000000', 'NETCONFA_FORWARDING'],
    ['0800 0300 02000000', 'NETCONFA_RP_FILTER'],
  ]);
  assert.deepEqual(decodeNetconf(all), { family: 4, linkIndex: -1, forwarding: true, rpFilter: 2 });
  assert.equal(decodeNetconf(all.subarray(0, 4)), undefined, 'without a link');
});

test('ip netns list-id: the id of another namespace, or none', () => {
  assertBytes(encodeNsIdQuery(7), [
    ['00000000', 'rtgenmsg'],
    ['0800 0300 07000000', 'NETNSA_FD 7'],
  ]);
  assert.equal(decodeNsId(goldenBytes([['00000000 0800 0100 05000000', 'NETNSA_NSID 5']])), 5);
  assert.equal(decodeNsId(goldenBytes([['00000000 0800 0100 ffffffff', 'NETNSA_NSID -1']])), undefined);
});
