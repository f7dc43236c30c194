/** Parses recorded headers of packets: Ethernet, IP, TCP, UDP, ICMP, and what ICMP errors and VXLAN contain. Pure. */
import { formatIp, formatMac, ipFromBytes } from '@netyard/core';
import type { IcmpHeader, PacketHeaders, TcpFlag } from '../../packet-trace.ts';
import { viewOf } from '../attribute.ts';
import { ethernetLength, vlanTagLength } from './filter.ts';
import { etherType, icmp6Errors, icmpErrors, protocolNumber } from './match.ts';

const defaultVxlanPorts: readonly number[] = [4789];
const vxlanLength = 16; // with the UDP header
const tcpFlags: readonly TcpFlag[] = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];
/** Hop-by-hop options, routing, destination options (RFC 8200). */
const extensionHeaders: readonly number[] = [0, 43, 60];
const fragmentHeader = 44;

export interface Macs {
  source: string;
  destination: string;
}

/** Undefined when there is no whole Ethernet header. */
export function parseMacs(frame: Uint8Array): Macs | undefined {
  if (frame.length < ethernetLength) return undefined;
  return { source: formatMac(frame.subarray(6, 12)), destination: formatMac(frame.subarray(0, 6)) };
}

/** Offset of the IP header in an Ethernet frame with or without VLAN tag. */
export const networkOffset = (frame: Uint8Array): number =>
  frame.length > ethernetLength && viewOf(frame).getUint16(12) === etherType.vlan
    ? ethernetLength + vlanTagLength
    : ethernetLength;

/** `packet` begins with an IP header and may be truncated. Undefined when it has no whole IP header. */
export function parsePacket(packet: Uint8Array, vxlanPorts: readonly number[] = defaultVxlanPorts) {
  const network = parseNetwork(packet);
  return network && { ...network.headers, ...parseTransport(network.headers.protocol, network.rest, vxlanPorts) };
}

type NetworkHeaders = Pick<
  PacketHeaders,
  'version' | 'source' | 'destination' | 'protocol' | 'length' | 'ttl' | 'ipId' | 'dontFragment'
>;

interface Network {
  headers: NetworkHeaders;
  /** From the transport header on; empty for fragments without one. */
  rest: Uint8Array;
}

function parseNetwork(packet: Uint8Array): Network | undefined {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4 && packet.length >= 20) return parseIpv4(packet);
  if (version === 6 && packet.length >= 40) return parseIpv6(packet);
  return undefined;
}

const address = (bytes: Uint8Array): string => formatIp(ipFromBytes(bytes));

function parseIpv4(packet: Uint8Array): Network {
  const view = viewOf(packet);
  const fragment = view.getUint16(6);
  const isFirst = (fragment & 0x1fff) === 0;
  return {
    headers: {
      version: 4,
      source: address(packet.subarray(12, 16)),
      destination: address(packet.subarray(16, 20)),
      protocol: view.getUint8(9),
      length: view.getUint16(2),
      ttl: view.getUint8(8),
      ipId: view.getUint16(4),
      dontFragment: (fragment & 0x4000) !== 0,
    },
    rest: isFirst ? packet.subarray(((packet[0] ?? 0) & 0x0f) * 4) : new Uint8Array(),
  };
}

function parseIpv6(packet: Uint8Array): Network {
  const view = viewOf(packet);
  let protocol = view.getUint8(6);
  let offset = 40;
  while (extensionHeaders.includes(protocol) && packet.length >= offset + 8) {
    protocol = view.getUint8(offset);
    offset += (view.getUint8(offset + 1) + 1) * 8;
  }
  if (protocol === fragmentHeader && packet.length >= offset + 8) {
    protocol = view.getUint8(offset);
    offset = (view.getUint16(offset + 2) & 0xfff8) === 0 ? offset + 8 : packet.length;
  }
  return {
    headers: {
      version: 6,
      source: address(packet.subarray(8, 24)),
      destination: address(packet.subarray(24, 40)),
      protocol,
      length: view.getUint16(4) + 40,
      ttl: view.getUint8(7),
    },
    rest: packet.subarray(offset),
  };
}

type TransportHeaders = Pick<PacketHeaders, 'sourcePort' | 'destinationPort' | 'tcp' | 'icmp' | 'inner'>;

function parseTransport(protocol: number, data: Uint8Array, vxlanPorts: readonly number[]): TransportHeaders {
  const view = viewOf(data);
  switch (protocol) {
    case protocolNumber.tcp:
      return data.length < 4 ? {} : { ...ports(view), ...(data.length < 14 ? {} : { tcp: parseTcp(view) }) };
    case protocolNumber.udp:
      return data.length < 4 ? {} : { ...ports(view), ...parseTunnel(data, vxlanPorts) };
    case protocolNumber.icmp:
    case protocolNumber.icmp6:
      return data.length < 8 ? {} : { icmp: parseIcmp(data, protocol === protocolNumber.icmp6) };
    default:
      return {};
  }
}

const ports = (view: DataView): { sourcePort: number; destinationPort: number } => ({
  ...{ sourcePort: view.getUint16(0), destinationPort: view.getUint16(2) },
});

const parseTcp = (view: DataView): NonNullable<PacketHeaders['tcp']> => ({
  flags: tcpFlags.filter((_, bit) => view.getUint8(13) & (1 << bit)),
  ...{ sequence: view.getUint32(4), acknowledgement: view.getUint32(8) },
});

function parseTunnel(data: Uint8Array, vxlanPorts: readonly number[]): { inner?: PacketHeaders } {
  if (!vxlanPorts.includes(viewOf(data).getUint16(2)) || data.length < vxlanLength + ethernetLength) return {};
  const frame = data.subarray(vxlanLength);
  const inner = parsePacket(frame.subarray(networkOffset(frame)), []);
  return inner === undefined ? {} : { inner };
}

function parseIcmp(data: Uint8Array, isIcmp6: boolean): IcmpHeader {
  const view = viewOf(data);
  const type = view.getUint8(0);
  const code = view.getUint8(1);
  if ((isIcmp6 ? [128, 129] : [0, 8]).includes(type))
    return { type, code, id: view.getUint16(4), sequence: view.getUint16(6) };
  const about = (isIcmp6 ? icmp6Errors : icmpErrors).includes(type) ? parsePacket(data.subarray(8), []) : undefined;
  return { type, code, ...mtuOf(view, isIcmp6), ...(about === undefined ? {} : { about }) };
}

/** RFC 1191 and RFC 4443: the MTU of the next hop. */
function mtuOf(view: DataView, isIcmp6: boolean): { mtu?: number } {
  if (isIcmp6) return view.getUint8(0) === 2 ? { mtu: view.getUint32(4) } : {};
  return view.getUint8(0) === 3 && view.getUint8(1) === 4 ? { mtu: view.getUint16(6) } : {};
}
