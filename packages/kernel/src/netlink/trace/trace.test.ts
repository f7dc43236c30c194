/** Pure parts of packet tracing: recorded messages, rules, the packet filter, headers of packets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertBytes } from '@netyard/testkit';
import type { NftFamily } from '../../desired.ts';
import type { TraceMatch } from '../../packet-trace.ts';
import { decodeQueuedError } from '../../system/error-queue.ts';
import { parseControl } from '../../system/message-buffer.ts';
import { viewOf } from '../attribute.ts';
import { encodeEchoRequest, isEchoReply } from './echo.ts';
import { encodeProbeFilter, snapLength } from './filter.ts';
import { parsePacket } from './headers.ts';
import { checkMatch, printTraceRules } from './match.ts';
import { decodeTrace, NFT_MSG_TRACE } from './rule-message.ts';
import { printTraceTables } from './rule-trace.ts';
import { TracedPackets } from './traced-packets.ts';

const hex = (...parts: string[]): Uint8Array => new Uint8Array(Buffer.from(parts.join('').replaceAll(' ', ''), 'hex'));
const message = (...parts: string[]) => ({ type: NFT_MSG_TRACE, flags: 0, sequence: 0, payload: hex(...parts) });

/** Recorded on Linux 6.18: a TCP SYN from 10.9.0.2:40000 to 10.9.0.1:8080, translated to 10.9.1.3:80. */
const recorded = {
  /** Rule of table bridge tr. */
  bridge: message(
    '0700000008000f00000000070800040000000003080006009eb38e50080002007072650007000100747200000c00030000000000000000020c',
    '00050008000100ffffffff08000a000000000306000b0000010000180008004500003c80cd40004006a5da0a0900020a090001180009009c40',
    '1f90c076faa200000000a002faf01443000012000700eaf6346aaaee1652f765d86b08000000',
  ),
  dnat: message(
    '0200000008000f00000000020800040000000003080006009eb38e50080002007072650007000100667700000c00030000000000000000050c',
    '000500080001000000000108000a000000000206000b0000010000180008004500003c80cd40004006a5da0a0900020a090001180009009c40',
    '1f90c076faa200000000a002faf01443000012000700eaf6346aaaee1652f765d86b080000000800150000000008050013000000000008001200',
    'd11d8dfb0800140000000120',
  ),
  jump: message(
    '0200000008000f00000000020800040000000003080006009eb38e5009000200666f72770000000007000100667700000c0003000000000000',
    '0000071400050008000100fffffffd080002007375620008000a000000000206000b000001000008000c000000000206000d00000100001800',
    '08004500003c80cd40004006a4d80a0900020a090103180009009c400050c076faa200000000a002faf015450000120007003669f80ef23b16',
    '52f765d86b080000000800150000000008050013000000000008001200d11d8dfb0800140000000120',
  ),
  end: message(
    '0200000008000f00000000020800040000000003080006009eb38e50080002007375620007000100667700000c00050008000100ffffffff',
  ),
  policy: message(
    '0200000008000f00000000020800040000000001080006009eb38e5009000200666f7277000000000700010066770000080010000000',
    '0001',
  ),
  drop: message(
    '0200000008000f0000000002080004000000000308000600b1fd098c080002007375620007000100667700000c00030000000000000000080c',
    '0005000800010000000000',
  ),
};

test('recorded trace messages are decoded: rules, jumps, ends of chains, policies, headers and NAT', () => {
  const headers = {
    ...{ version: 4, source: '10.9.0.2', destination: '10.9.0.1', protocol: 6, length: 60, ttl: 64, ipId: 0x80cd },
    ...{ dontFragment: true, sourcePort: 40000, destinationPort: 8080 },
    tcp: { flags: ['SYN'], sequence: 0xc076faa2, acknowledgement: 0 },
  };
  const macs = { source: '16:52:f7:65:d8:6b', destination: 'ea:f6:34:6a:aa:ee' };
  const traceId = 0x508eb39e;
  assert.deepEqual(decodeTrace(recorded.bridge), {
    ...{ traceId, family: 'bridge', table: 'tr', chain: 'pre', type: 'rule', verdict: 'continue', handle: 2 },
    ...{ iifIndex: 3, headers, macs },
  });
  const conntrack = { id: 0xd11d8dfb, state: 'new', direction: 'original', sourceNat: false, destinationNat: true };
  assert.deepEqual(decodeTrace(recorded.dnat), {
    ...{ traceId, family: 'ip', table: 'fw', chain: 'pre', type: 'rule', verdict: 'accept', handle: 5 },
    ...{ iifIndex: 2, headers, macs, conntrack },
  });
  const jump = decodeTrace(recorded.jump);
  assert.deepEqual([jump?.verdict, jump?.target, jump?.iifIndex, jump?.oifIndex], ['jump', 'sub', 2, 2]);
  assert.deepEqual([jump?.headers?.destination, jump?.headers?.destinationPort], ['10.9.1.3', 80]);
  const rest = { traceId, family: 'ip', table: 'fw' };
  assert.deepEqual(decodeTrace(recorded.end), { ...rest, chain: 'sub', type: 'return', verdict: 'continue' });
  assert.deepEqual(decodeTrace(recorded.policy), { ...rest, chain: 'forw', type: 'policy', verdict: 'accept' });
  const drop = decodeTrace(recorded.drop);
  assert.deepEqual([drop?.type, drop?.verdict, drop?.handle, drop?.headers], ['rule', 'drop', 8, undefined]);
  assert.equal(decodeTrace({ ...recorded.drop, type: 0x0a0f }), undefined);
  assert.equal(decodeTrace(message('09000000')), undefined);
});

test('messages of another probe, and those that follow them, are not admitted', () => {
  const steps = Object.values(recorded).map((one) => decodeTrace(one));
  const admitted = (match: TraceMatch, table: string): boolean[] => {
    const packets = new TracedPackets(match, table);
    return steps.map((step) => step !== undefined && packets.admit(step));
  };
  const tcp = { family: 4, protocol: 'tcp' } as const;
  // The last message has an id without headers before it.
  assert.deepEqual(admitted({ ...tcp, id: 40000 }, 'x'), [true, true, true, true, true, false]);
  assert.deepEqual(admitted({ ...tcp, id: 40001 }, 'x'), [false, false, false, false, false, false]);
  assert.deepEqual(admitted({ ...tcp, protocol: 'udp', id: 40000 }, 'x'), new Array(6).fill(false));
});

test('rules match the port in either place, in an ICMP error and inside VXLAN, and end early for others', () => {
  assert.deepEqual(printTraceRules({ family: 4, protocol: 'tcp', id: 40000 }, 'inet'), [
    '@th,0,16 40000 meta nfproto ipv4 meta l4proto 6 meta nftrace set 1',
    '@th,16,16 40000 meta nfproto ipv4 meta l4proto 6 meta nftrace set 1',
    'meta l4proto 6 accept',
    'meta l4proto 17 @th,16,16 != 4789 accept',
    '@th,136,8 6 @th,224,16 40000 meta nfproto ipv4 meta l4proto 1 @th,0,8 { 3, 5, 11, 12 } meta nftrace set 1',
    '@th,136,8 6 @th,240,16 40000 meta nfproto ipv4 meta l4proto 1 @th,0,8 { 3, 5, 11, 12 } meta nftrace set 1',
    '@th,16,16 4789 @th,224,16 2048 @th,312,8 6 @th,400,16 40000 meta nfproto ipv4 meta l4proto 17 meta nftrace set 1',
    '@th,16,16 4789 @th,224,16 2048 @th,312,8 6 @th,416,16 40000 meta nfproto ipv4 meta l4proto 17 meta nftrace set 1',
    '@th,16,16 4789 @th,224,16 2048 @th,312,8 6 @th,400,16 40000 meta nfproto ipv6 meta l4proto 17 meta nftrace set 1',
    '@th,16,16 4789 @th,224,16 2048 @th,312,8 6 @th,416,16 40000 meta nfproto ipv6 meta l4proto 17 meta nftrace set 1',
  ]);
  assert.deepEqual(printTraceRules({ family: 6, protocol: 'icmp', id: 7, vxlanPorts: [] }, 'bridge'), [
    'meta l4proto 6 accept',
    '@th,32,16 7 meta protocol ip6 meta l4proto 58 @th,0,8 { 128, 129 } meta nftrace set 1',
    'meta l4proto 17 accept',
    '@th,112,8 58 @th,416,16 7 meta protocol ip6 meta l4proto 58 @th,0,8 { 1, 2, 3, 4 } @th,384,8 { 128, 129 } meta nftrace set 1',
  ]);
  const service = { family: 4, protocol: 'tcp', id: 0, vxlanPorts: [] } as const;
  assert.deepEqual(printTraceRules({ ...service, servicePorts: [80, 8080] }, 'inet').slice(0, 3), [
    'meta nfproto ipv4 meta l4proto 6 @th,0,16 { 80, 8080 } @th,104,8 { 2, 194, 18, 82, 4, 20 } meta nftrace set 1',
    'meta nfproto ipv4 meta l4proto 6 @th,16,16 { 80, 8080 } @th,104,8 { 2, 194, 18, 82, 4, 20 } meta nftrace set 1',
    'meta l4proto 6 accept',
  ]);
  assert.throws(() => checkMatch({ ...service, servicePorts: [] }), /needs a port/);
  assert.throws(() => checkMatch({ ...service, servicePorts: [1, 2, 3, 4, 5] }), /more than 4 ports of a service/);
  for (const id of [-1, 65536, 1.5, Number.NaN])
    assert.throws(() => checkMatch({ family: 4, protocol: 'udp', id }), /invalid port/);
  assert.throws(() => checkMatch({ family: 4, protocol: 'udp', id: 1, vxlanPorts: [1, 2, 3, 4, 5] }), /more than 4/);
});

test('tables are made in front of chains of others only, and each hook only where a chain follows', () => {
  const match = { family: 4, protocol: 'tcp', id: 40000 } as const;
  const made = (...chains: [family: NftFamily, hook: string, table?: string][]): string[] => {
    const listed = chains.map(([family, hook, table = 'filter']) => ({ family, table, chain: 'c', hook, rules: [] }));
    const text = printTraceTables('t', match, listed);
    return [...text.matchAll(/table (\w+)|hook (\w+)/g)].map(([, family, hook]) => family ?? hook ?? '');
  };
  assert.deepEqual(made(), []);
  assert.deepEqual(made(['inet', 'prerouting', 'netyard_trace_00']), [], 'another trace');
  assert.deepEqual(made(['ip', 'output']), ['inet', 'output']);
  assert.deepEqual(made(['ip', 'input']), ['inet', 'prerouting']);
  assert.deepEqual(made(['ip6', 'postrouting']), ['inet', 'prerouting', 'output']);
  assert.deepEqual(made(['bridge', 'forward']), ['inet', 'prerouting', 'bridge', 'prerouting']);
  assert.deepEqual(made(['netdev', 'ingress'], ['arp', 'input']), []);
});

/** A link-layer header and what the kernel knows beside the packet. */
interface Frame {
  data: Uint8Array;
  protocol: number;
  hardwareType: number;
}

/** Runs a classic BPF program as the kernel does, for the instructions that the filter uses. */
function runFilter(program: Uint8Array, { data, protocol, hardwareType }: Frame): number {
  const view = viewOf(program);
  const packet = viewOf(data);
  let [a, x, pc] = [0, 0, 0];
  const memory = [0, 0];
  for (;;) {
    const [code, yes, no] = [view.getUint16(pc * 8, true), program[pc * 8 + 2] ?? 0, program[pc * 8 + 3] ?? 0];
    const k = view.getInt32(pc * 8 + 4, true);
    pc += 1;
    const at = (code & 0xe0) === 0x40 ? x + k : k;
    const size = [4, 2, 1][(code & 0x18) >> 3] ?? 0;
    if ((code & 7) === 0 && (code & 0xe0) !== 0x60 && k >= 0 && at + size > data.length) return 0;
    if (code === 0x20) a = k === -0x1000 ? protocol : hardwareType;
    else if (code === 0x28 || code === 0x48) a = packet.getUint16(at);
    else if (code === 0x50) a = packet.getUint8(at);
    else if (code === 0x60) a = memory[k] ?? 0;
    else if (code === 0x01) x = k;
    else if (code === 0x02) memory[k] = a;
    else if (code === 0x04) a += k;
    else if (code === 0x0c) a += x;
    else if (code === 0x54) a &= k;
    else if (code === 0x64) a <<= k;
    else if (code === 0x07) x = a;
    else if (code === 0x87) a = x;
    else if (code === 0x05) pc += k;
    else if (code === 0x15) pc += a === k ? yes : no;
    else if (code === 0x45) pc += a & k ? yes : no;
    else if (code === 0x06) return k;
    else throw new Error(`unknown instruction ${code.toString(16)}`);
  }
}

const ethernet = 'eaf6346aaaee1652f765d86b';
const ip4 = (protocol: string, rest: string, fragment = '4000') =>
  `4500003c80cd${fragment}40${protocol}a5da0a0900020a090001${rest}`;
const ip6 = (protocol: string, rest: string) =>
  `600000000014${protocol}40fd090000000000000000000000000002fd090000000000000000000000000003${rest}`;
const tcp = '9c401f90c076faa200000000a002faf014430000';
const answer = '1f909c40c076faa200000000a012faf014430000';
const udp = '9c40003500080000';
const vxlan = (inner: string, type: string) => `d431 12b5 0040 0000 08000000 00000700 ${ethernet}${type}${inner}`;
const icmp = (head: string, about: string) => `${head}0000 00000578 ${about}`;

test('the packet filter accepts the probe on every kind of link and in every place, and nothing else', () => {
  const frame = (packet: string, protocol = 0x0800): Frame => ({
    ...{ data: hex(ethernet, protocol.toString(16).padStart(4, '0'), packet), protocol, hardwareType: 1 },
  });
  const accepts = (match: Partial<TraceMatch>, one: Frame): boolean => {
    const program = encodeProbeFilter({ family: 4, protocol: 'tcp', id: 40000, ...match });
    const length = runFilter(program, one);
    assert.ok(length === 0 || length === snapLength);
    return length > 0;
  };
  assert.ok(accepts({}, frame(ip4('06', tcp))) && accepts({}, frame(ip4('06', answer))));
  assert.ok(!accepts({ id: 40001 }, frame(ip4('06', tcp))) && !accepts({ protocol: 'udp' }, frame(ip4('06', tcp))));
  assert.ok(!accepts({ family: 6 }, frame(ip4('06', tcp))));
  assert.ok(!accepts({}, frame(ip4('06', tcp, '2001'))), 'a later fragment has no ports');
  assert.ok(accepts({}, frame(ip4('06', tcp, '2000'))), 'the first fragment has');
  const options = ip4('06', `01010101${tcp}`).replace('45', '46');
  assert.ok(accepts({}, frame(options)), 'IP options');
  assert.ok(accepts({}, { data: hex(ip4('06', tcp)), protocol: 0x0800, hardwareType: 65534 }), 'tun');
  assert.ok(accepts({}, { ...frame(ip4('06', tcp)), hardwareType: 772 }), 'loopback');
  const tagged = { ...frame(`0064 0800 ${ip4('06', tcp)}`, 0x8100) };
  assert.ok(accepts({}, tagged), 'VLAN tag');
  assert.ok(!accepts({}, frame('0001080006040001', 0x0806)), 'ARP');
  assert.ok(accepts({}, frame(ip4('01', icmp('030d', ip4('06', tcp))))), 'ICMP error');
  assert.ok(!accepts({}, frame(ip4('01', icmp('0800', ip4('06', tcp))))), 'echo request with such data');
  assert.ok(accepts({}, frame(ip4('11', vxlan(ip4('06', tcp), '0800')))), 'VXLAN');
  assert.ok(!accepts({ vxlanPorts: [8472] }, frame(ip4('11', vxlan(ip4('06', tcp), '0800')))));
  assert.ok(accepts({ vxlanPorts: [1, 2, 3, 4789] }, frame(ip4('11', vxlan(ip4('06', tcp), '0800')))));
  assert.ok(!accepts({ family: 6 }, frame(ip4('11', vxlan(ip4('06', tcp), '0800')))));
  const v6 = { family: 6 } as const;
  assert.ok(accepts(v6, frame(ip6('06', tcp), 0x86dd)) && !accepts({}, frame(ip6('06', tcp), 0x86dd)));
  assert.ok(accepts(v6, frame(ip6('3a', icmp('0104', ip6('06', tcp))), 0x86dd)), 'ICMPv6 error');
  assert.ok(accepts(v6, frame(ip4('11', vxlan(ip6('06', tcp), '86dd')))), 'IPv6 inside VXLAN over IPv4');
  assert.ok(accepts({}, frame(ip6('11', vxlan(ip4('06', tcp), '0800')), 0x86dd)), 'IPv4 inside VXLAN over IPv6');
  assert.ok(accepts({ ...v6, protocol: 'icmp', id: 7 }, frame(ip6('3a', '8000 0000 0007 0001'), 0x86dd)));
  assert.ok(!accepts({ ...v6, protocol: 'icmp', id: 8 }, frame(ip6('3a', '8000 0000 0007 0001'), 0x86dd)));
  assert.ok(!accepts({}, frame('45')), 'truncated');
  const service = { id: 0, servicePorts: [1, 2, 3, 8080], vxlanPorts: [1, 2, 3, 4789] };
  assert.ok(accepts(service, frame(ip4('06', tcp))) && accepts(service, frame(ip4('06', answer))), 'a handshake');
  assert.ok(!accepts(service, frame(ip4('06', tcp.replace('a002', 'a010')))), 'data of others');
  assert.ok(accepts(service, frame(ip4('11', vxlan(ip4('06', tcp), '0800')))), 'a handshake inside VXLAN');
  assert.ok(!accepts({ ...service, servicePorts: [81] }, frame(ip4('06', tcp))));
  assert.ok(
    accepts({ protocol: 'icmp', id: 0, servicePorts: [] }, frame(ip4('01', '0800 0000 1234 0001'))),
    'any echo',
  );
});

test('headers are parsed with what ICMP errors quote and tunnels contain; truncated ones as far as they go', () => {
  const error = parsePacket(hex(ip4('01', icmp('0304', ip4('11', udp)))));
  assert.deepEqual(
    [error?.icmp?.type, error?.icmp?.code, error?.icmp?.mtu, error?.icmp?.about?.sourcePort],
    [3, 4, 1400, 40000],
  );
  const inner = parsePacket(hex(ip4('11', vxlan(ip6('06', answer), '86dd'))))?.inner;
  assert.deepEqual([inner?.version, inner?.source, inner?.tcp?.flags], [6, 'fd09::2', ['SYN', 'ACK']]);
  const options = parsePacket(hex(ip6('00', `06000000 00000000 ${tcp}`)));
  assert.deepEqual([options?.protocol, options?.sourcePort, options?.length], [6, 40000, 60]);
  const later = parsePacket(hex(ip6('2c', `1100 0008 00000001 ${udp}`)));
  assert.deepEqual([later?.protocol, later?.sourcePort], [17, undefined]);
  const echo = parsePacket(encodePing(7));
  assert.deepEqual(echo?.icmp, { type: 8, code: 0, id: 7, sequence: 1 });
  const whole = hex(ip4('01', icmp('0304', ip4('11', udp))));
  for (let length = 0; length < whole.length; length += 1) parsePacket(whole.subarray(0, length));
  assert.equal(parsePacket(whole.subarray(0, 19)), undefined);
  assert.equal(parsePacket(whole.subarray(0, 20))?.icmp, undefined);
});

const encodePing = (id: number): Uint8Array => hex(ip4('01', Buffer.from(encodeEchoRequest(4, id, 0)).toString('hex')));

test('echo requests have a checksum over IPv4, and replies are recognized by their identifier', () => {
  assertBytes(encodeEchoRequest(4, 0x1234, 1), [
    ['0800', 'type and code'],
    ['e5ca', 'checksum'],
    ['12340001', 'identifier, sequence number'],
    ['00', 'data'],
  ]);
  assertBytes(encodeEchoRequest(6, 0x1234, 0), [
    ['8000', 'type and code'],
    ['0000', 'filled in by the kernel'],
    ['12340001', 'identifier, sequence number'],
  ]);
  assert.ok(isEchoReply(hex(ip4('01', '0000 0000 1234 0001')), 4, 0x1234));
  assert.ok(!isEchoReply(hex(ip4('01', '0000 0000 1235 0001')), 4, 0x1234));
  assert.ok(!isEchoReply(encodePing(0x1234), 4, 0x1234), 'a request is no reply');
  assert.ok(isEchoReply(hex('8100 0000 1234 0001'), 6, 0x1234));
});

test('a queued error names its errno and, if it was an ICMP error, who sent it', () => {
  const control = (data: string) =>
    parseControl(hex(`${(16 + data.length / 2).toString(16)}00000000000000 00000000 0b000000 ${data}`));
  const head = '71000000 02 03 0d 00 00000000 00000000'.replaceAll(' ', '');
  const icmp = { from: '10.9.0.1', type: 3, code: 13 };
  assert.deepEqual(decodeQueuedError(control(`${head}020000000a0900010000000000000000`)), {
    ...{ errno: 'EHOSTUNREACH', icmp },
  });
  const big = '5a000000 02 03 04 00 14050000 00000000'.replaceAll(' ', '');
  assert.equal(decodeQueuedError(control(`${big}020000000a0900010000000000000000`))?.icmp?.mtu, 1300);
  const local = '5a000000 01 00 00 00 dc050000 00000000'.replaceAll(' ', '');
  assert.deepEqual(decodeQueuedError(control(`${local}00000000000000000000000000000000`)), { errno: 'EMSGSIZE' });
  assert.equal(decodeQueuedError(parseControl(hex('ff'))), undefined);
});
