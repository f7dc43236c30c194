/**
 * The places at which a probe's port (or ICMP identifier) can be in a packet: in its own header, in the packet that an
 * ICMP error quotes, or inside a VXLAN tunnel. The nftables rules and the packet filter both come from this. Pure.
 */
import { NetyardError } from '@netyard/core';
import type { TraceMatch } from '../../packet-trace.ts';

export const protocolNumber = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;
export const etherType = { ip: 0x0800, arp: 0x0806, vlan: 0x8100, ip6: 0x86dd } as const;
/** RFC 792: unreachable, redirect, time exceeded, parameter problem. */
export const icmpErrors: readonly number[] = [3, 5, 11, 12];
/** RFC 4443: unreachable, packet too big, time exceeded, parameter problem. */
export const icmp6Errors: readonly number[] = [1, 2, 3, 4];
export const defaultVxlanPort = 4789;
/** Keep all jumps of the packet filter below 256 instructions. */
const maxVxlanPorts = 4;
const maxServicePorts = 4;
/** RFC 9293, RFC 3168: SYN and SYN/ACK, with ECN bits or without, RST, RST/ACK. */
const handshakeFlags = [0x02, 0xc2, 0x12, 0x52, 0x04, 0x14] as const;
const tcpFlagsOffset = 13;
const udpHeader = 8;
const vxlanHeader = 8;
const ethernetHeader = 14;
/** Of an ICMP error, before the packet that it quotes. */
const icmpHeader = 8;
/** Sizes without options and extension headers, which no probe has. */
const ipHeader = { 4: 20, 6: 40 } as const;
/** Offset of the protocol number in the IP header. */
const protocolOffset = { 4: 9, 6: 6 } as const;

/** Rejects values that are no 16-bit numbers, because they become part of nft commands. Throws `invalid`. */
export function checkMatch({ id, protocol, servicePorts, vxlanPorts = [] }: TraceMatch): void {
  if (vxlanPorts.length > maxVxlanPorts)
    throw new NetyardError('invalid', `more than ${maxVxlanPorts} ports of VXLAN tunnels in one trace`);
  if (servicePorts !== undefined && protocol !== 'icmp' && servicePorts.length === 0)
    throw new NetyardError('invalid', 'a trace of traffic needs a port');
  if (servicePorts !== undefined && servicePorts.length > maxServicePorts)
    throw new NetyardError('invalid', `more than ${maxServicePorts} ports of a service in one trace`);
  for (const number of [id, ...vxlanPorts, ...(servicePorts ?? [])])
    if (!Number.isInteger(number) || number < 0 || number > 0xffff)
      throw new NetyardError('invalid', `invalid port or identifier of a probe: ${number}`);
}

/** The IP protocol number of the probe. */
export const protocolOf = ({ family, protocol }: Pick<TraceMatch, 'family' | 'protocol'>): number =>
  protocolNumber[protocol === 'icmp' && family === 6 ? 'icmp6' : protocol];

/** `length` bytes at `offset` behind the start of the transport header have one of these values. */
export interface Condition {
  offset: number;
  length: 1 | 2;
  values: readonly number[];
}

/** A packet matches when its IP version and protocol are these and all conditions hold. */
export interface Alternative {
  /** IP version of the outer header. */
  family: 4 | 6;
  protocol: number;
  conditions: Condition[];
}

/** All alternatives; a packet of the probe matches at least one of them. */
export function alternativesOf(match: TraceMatch): Alternative[] {
  const { family } = match;
  const protocol = protocolOf(match);
  const plain = ownConditions(match, 0).map((conditions) => ({
    ...{ family, protocol },
    conditions: [...conditions, ...handshakeOnly(match, 0)],
  }));
  const errors = insideConditions(match, icmpHeader).map((conditions) => ({
    family,
    protocol: protocolNumber[family === 4 ? 'icmp' : 'icmp6'],
    conditions: [{ offset: 0, length: 1 as const, values: family === 4 ? icmpErrors : icmp6Errors }, ...conditions],
  }));
  return [...plain, ...errors, ...([4, 6] as const).flatMap((outer) => tunnelled(match, outer))];
}

function tunnelled(match: TraceMatch, outer: 4 | 6): Alternative[] {
  const { family, vxlanPorts = [defaultVxlanPort] } = match;
  if (vxlanPorts.length === 0) return [];
  const inner = udpHeader + vxlanHeader + ethernetHeader;
  const type = { offset: inner - 2, length: 2, values: [family === 4 ? etherType.ip : etherType.ip6] } as const;
  const port = { offset: 2, length: 2, values: vxlanPorts } as const;
  return insideConditions(match, inner).map((conditions) => ({
    ...{ family: outer, protocol: protocolNumber.udp },
    conditions: [port, type, ...conditions, ...handshakeOnly(match, inner + ipHeader[family])],
  }));
}

/** Conditions on an IP packet that begins at `offset`. */
function insideConditions(match: TraceMatch, offset: number): Condition[][] {
  const protocol: Condition = {
    ...{ offset: offset + protocolOffset[match.family], length: 1, values: [protocolOf(match)] },
  };
  return ownConditions(match, offset + ipHeader[match.family]).map((conditions) => [protocol, ...conditions]);
}

/** Conditions on a transport header at `offset`: the port in either place, or the identifier of echo messages. */
function ownConditions({ family, protocol, id, servicePorts }: TraceMatch, offset: number): Condition[][] {
  const values = servicePorts ?? [id];
  if (protocol !== 'icmp') return [0, 2].map((place) => [{ offset: offset + place, length: 2 as const, values }]);
  const types: Condition = { offset, length: 1, values: family === 4 ? [0, 8] : [128, 129] };
  return [servicePorts === undefined ? [types, { offset: offset + 4, length: 2, values }] : [types]];
}

/** Of a TCP header at `offset`: others' data would be more than is read in time. ICMP errors may quote no flags. */
const handshakeOnly = ({ protocol, servicePorts }: TraceMatch, offset: number): Condition[] =>
  protocol === 'tcp' && servicePorts !== undefined
    ? [{ offset: offset + tcpFlagsOffset, length: 1, values: handshakeFlags }]
    : [];

/**
 * Rules of an nft chain of family inet or bridge that mark the probe's packets. `match` is checked. The chain ends early for
 * most packets of others: `accept` is no verdict for other chains.
 */
export function printTraceRules(match: TraceMatch, family: 'inet' | 'bridge'): string[] {
  const marks = alternativesOf(match).map((alternative) => printMark(alternative, family));
  const own = marks.splice(0, ownConditions(match, 0).length);
  const { protocol, vxlanPorts = [defaultVxlanPort] } = match;
  const otherTcp = `meta l4proto ${protocolNumber.tcp} accept`;
  // No comparisons of both ports with != in one rule: nft 1.0.6 merges them into one, which is wrong for !=.
  const noTunnel = vxlanPorts.length === 0 ? '' : `@th,16,16 != ${printValues(vxlanPorts)} `;
  const otherUdp = `meta l4proto ${protocolNumber.udp} ${noTunnel}accept`;
  return protocol === 'tcp' ? [...own, otherTcp, otherUdp, ...marks] : [otherTcp, ...own, otherUdp, ...marks];
}

/**
 * What most packets of others fail first: a comparison of a port costs less than IP version and protocol before it. Sets are
 * looked up last. Behind another transport header than the rule's the numbers are others, and the rule goes on to compare.
 */
function printMark({ family: version, protocol, conditions }: Alternative, family: 'inet' | 'bridge'): string {
  const name = version === 4 ? 'ip' : 'ip6';
  const network = family === 'bridge' ? `meta protocol ${name}` : `meta nfproto ipv${version}`;
  const print = (all: readonly Condition[]): string[] =>
    all.map(({ offset, length, values }) => `@th,${offset * 8},${length * 8} ${printValues(values)}`);
  const [single, several] = [
    conditions.filter(({ values }) => values.length === 1),
    conditions.filter(({ values }) => values.length > 1),
  ];
  return [...print(single), network, `meta l4proto ${protocol}`, ...print(several), 'meta nftrace set 1'].join(' ');
}

const printValues = (values: readonly number[]): string =>
  values.length === 1 ? `${values[0]}` : `{ ${values.join(', ')} }`;
