/** Which packets of other programs a trace of real traffic is about, and how their connection ended. Pure. */
import type { PacketHeaders, TraceMatch } from '@netyard/kernel';
import type { HostTopology } from '@netyard/topology';
import { flagsOf, isAnswerTo, packetOf } from './evidence.ts';
import type { ProbeResult, TracePacket } from './model.ts';
import type { PreparedCase } from './prepare.ts';
import { findPublished } from './published.ts';
import { withoutLength } from './route-lookup.ts';
import type { LivePacket } from './tools.ts';

/** The ports of the target, before and after translation. */
export function liveMatch({ request, packet, path: { end } }: PreparedCase): TraceMatch {
  const ports = [request.port, packet.destinationPort, end.packet.destinationPort];
  const servicePorts = [...new Set(ports.filter((port) => port !== undefined))];
  const family = packet.destination.includes(':') ? 6 : 4;
  return { family, protocol: request.protocol, id: 0, servicePorts };
}

/** As a probe is: for icmp, the source port is the identifier of the echo messages. */
export function packetOfFlow(headers: PacketHeaders): TracePacket {
  const packet = packetOf(headers);
  return headers.icmp?.id === undefined ? packet : { ...packet, sourcePort: headers.icmp.id };
}

/** The first packet of a connection from one end to the other, before any translation. */
export function isStart(prepared: PreparedCase, { namespace, packet: seen }: LivePacket): boolean {
  const { topology, from } = prepared;
  const packet = packetOf(seen.headers);
  if (!opens(seen.headers) || packet.source === undefined || seen.headers.inner !== undefined) return false;
  const goesOut = namespace.id === from.namespace?.id && seen.direction === 'out';
  if (!from.isOutside) return goesOut && from.addresses.includes(packet.source) && isForTarget(prepared, packet);
  const comesIn = namespace.isHost && seen.direction !== 'out';
  return comesIn && !isLocal(topology, packet.source) && isForTarget(prepared, packet);
}

/** A SYN, an echo request, or any datagram. */
function opens({ tcp, icmp, version }: PacketHeaders): boolean {
  if (tcp !== undefined) return tcp.flags.includes('SYN') && !tcp.flags.includes('ACK');
  return icmp === undefined || icmp.type === (version === 4 ? 8 : 128);
}

function isForTarget({ topology, from, to, request, packet: expected }: PreparedCase, packet: TracePacket): boolean {
  const isPort = packet.destinationPort === request.port;
  if (to.isOutside) return isPort && !isLocal(topology, packet.destination);
  if (isPort && [...to.addresses, expected.destination].includes(packet.destination)) return true;
  const host = topology.namespaces.find(({ isHost }) => isHost);
  if (!from.isOutside || host === undefined || to.container === undefined) return false;
  const published = findPublished(topology, host, packet);
  return published?.container.id === to.container.id && published.port.containerPort === request.port;
}

const isLocal = ({ namespaces }: HostTopology, address: string): boolean =>
  namespaces.some(({ links }) =>
    links.some(({ addresses }) => addresses.some((own) => withoutLength(own) === address)),
  );

/** What the program that sent the first packet experienced; undefined while nothing has come back to it. */
export function resultOf(
  { from }: Pick<PreparedCase, 'from'>,
  flow: TraceMatch,
  first: LivePacket,
  packets: readonly LivePacket[],
): ProbeResult | undefined {
  const answer = packets.find(
    ({ namespace, packet }) =>
      isAnswerTo(flow, packet.headers) &&
      (from.isOutside
        ? namespace.isHost && packet.direction === 'out' && packet.link === first.packet.link
        : namespace.id === from.namespace?.id && packet.direction === 'in'),
  );
  if (answer === undefined) return undefined;
  const { headers, time } = answer.packet;
  const { source } = first.packet.headers;
  const ms = Number(time - first.packet.time) / 1e6;
  const flags = flagsOf(headers);
  if (flags.includes('R')) return { outcome: 'refused', errno: 'ECONNREFUSED', source, ms };
  if (!flags.startsWith('icmp:')) return { outcome: 'answered', source, ms };
  const isPort = flags === 'icmp:3/3' || flags === 'icmp:1/4';
  const errno = isPort ? 'ECONNREFUSED' : 'EHOSTUNREACH';
  return { outcome: isPort ? 'refused' : 'error', errno, source, reportedBy: headers.source, ms };
}
