/** One line about a packet: addresses, protocol, ports and flags. Headers may be cut off anywhere. Pure. */
import type { CapturedPacket } from './pcapng.ts';

export interface PacketSummary {
  source: string;
  destination: string;
  protocol: string;
  /** Ports and flags of TCP, the kind of an ICMP message or an ARP question. */
  info: string;
}

const linkTypes = { ethernet: 1, raw: 101 } as const;
const etherTypes = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;
const protocols: Readonly<Record<number, string>> = {
  ...{ 1: 'ICMP', 2: 'IGMP', 6: 'TCP', 17: 'UDP', 47: 'GRE', 50: 'ESP', 58: 'ICMPv6', 132: 'SCTP' },
};
const icmpKinds: Readonly<Record<string, string>> = {
  ...{ 'ICMP 0': 'echo reply', 'ICMP 3': 'unreachable', 'ICMP 8': 'echo request', 'ICMP 11': 'time exceeded' },
  ...{ 'ICMPv6 1': 'unreachable', 'ICMPv6 2': 'packet too big', 'ICMPv6 3': 'time exceeded' },
  ...{ 'ICMPv6 128': 'echo request', 'ICMPv6 129': 'echo reply' },
  ...{ 'ICMPv6 133': 'router solicitation', 'ICMPv6 134': 'router advertisement' },
  ...{ 'ICMPv6 135': 'neighbour solicitation', 'ICMPv6 136': 'neighbour advertisement' },
};
const tcpFlags = ['F', 'S', 'R', 'P', 'A', 'U'];

const unknown: PacketSummary = { source: '', destination: '', protocol: '?', info: '' };

export function summarizePacket({ linkType, data }: CapturedPacket): PacketSummary {
  try {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (linkType === linkTypes.raw) return readIp(view, 0);
    return linkType === linkTypes.ethernet ? readEthernet(view) : unknown;
  } catch (error) {
    if (error instanceof RangeError) return { ...unknown, info: 'cut off' };
    throw error;
  }
}

function readEthernet(view: DataView): PacketSummary {
  let offset = 12;
  while (view.getUint16(offset) === etherTypes.vlan) offset += 4;
  const type = view.getUint16(offset);
  const payload = offset + 2;
  if (type === etherTypes.ipv4 || type === etherTypes.ipv6) return readIp(view, payload);
  if (type === etherTypes.arp) return readArp(view, payload);
  const mac = (at: number): string =>
    Array.from({ length: 6 }, (_, index) =>
      view
        .getUint8(at + index)
        .toString(16)
        .padStart(2, '0'),
    ).join(':');
  return { source: mac(6), destination: mac(0), protocol: `0x${type.toString(16).padStart(4, '0')}`, info: '' };
}

function readArp(view: DataView, at: number): PacketSummary {
  const [source, destination] = [ipv4(view, at + 14), ipv4(view, at + 24)];
  const info = view.getUint16(at + 6) === 1 ? `who has ${destination}` : `${source} is here`;
  return { source, destination, protocol: 'ARP', info };
}

const ipv4 = (view: DataView, at: number): string =>
  Array.from({ length: 4 }, (_, index) => view.getUint8(at + index)).join('.');

/** The longest run of zeros is shortened (RFC 5952). */
function ipv6(view: DataView, at: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(at + 2 * index).toString(16));
  const runs = groups.join(':').match(/\b0(?::0)+\b/g) ?? [];
  const [longest] = [...runs].sort((one, other) => other.length - one.length);
  if (longest === undefined) return groups.join(':');
  const [before = '', ...after] = groups.join(':').split(new RegExp(`(?:^|:)${longest}(?::|$)`));
  return `${before}::${after.join('')}`;
}

function readIp(view: DataView, at: number): PacketSummary {
  if (view.getUint8(at) >> 4 === 6) {
    const ends = { source: ipv6(view, at + 8), destination: ipv6(view, at + 24) };
    return readTransport(view, at + 40, view.getUint8(at + 6), ends);
  }
  const ends = { source: ipv4(view, at + 12), destination: ipv4(view, at + 16) };
  const number = view.getUint8(at + 9);
  const fragment = view.getUint16(at + 6) & 0x1fff;
  if (fragment > 0) return { ...ends, protocol: protocols[number] ?? String(number), info: 'fragment' };
  return readTransport(view, at + (view.getUint8(at) & 0x0f) * 4, number, ends);
}

function readTransport(
  view: DataView,
  at: number,
  number: number,
  ends: Pick<PacketSummary, 'source' | 'destination'>,
): PacketSummary {
  const protocol = protocols[number] ?? String(number);
  if (protocol === 'TCP' || protocol === 'UDP' || protocol === 'SCTP') {
    const bits = protocol === 'TCP' ? view.getUint8(at + 13) : 0;
    const flags = tcpFlags.filter((_, bit) => (bits >> bit) & 1).join('');
    const ports = `${view.getUint16(at)} → ${view.getUint16(at + 2)}`;
    return { ...ends, protocol, info: flags === '' ? ports : `${ports} [${flags}]` };
  }
  if (!protocol.startsWith('ICMP')) return { ...ends, protocol, info: '' };
  const kind = view.getUint8(at);
  return { ...ends, protocol, info: icmpKinds[`${protocol} ${kind}`] ?? `type ${kind}` };
}
