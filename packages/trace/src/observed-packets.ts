/**
 * The packets of a probe on all links of some namespaces, and those that the kernel dropped: by a watch at the kernel's
 * tracepoints, or, where the kernel cannot do that, by a packet socket per namespace, which costs other traffic more.
 */
import { isNetyardError, messageOf } from '@netyard/core';
import {
  type DroppedPacket,
  hasErrno,
  type PacketTap,
  type PacketTracing,
  type PacketWatch,
  type TappedPacket,
  type TraceMatch,
} from '@netyard/kernel';
import type { HostNamespace } from '@netyard/topology';

export interface ObservationRequest {
  namespaces: readonly HostNamespace[];
  match: TraceMatch;
  /** Also what is sent on links whose other end is in none of the namespaces. */
  outgoing: boolean;
}

export type ObservedPacket = Pick<TappedPacket, 'link' | 'direction' | 'time' | 'headers'>;

export interface ObservedDrop {
  namespace: HostNamespace;
  drop: DroppedPacket;
}

export interface ObservedPackets {
  /** Adds what was missed to `incomplete`, a sentence each. */
  read(incomplete: string[]): Promise<{
    packets: { namespace: HostNamespace; packet: ObservedPacket }[];
    drops: ObservedDrop[];
  }>;
  /** Where drops are reported, only those are from now on: they show the fate of what is seen no more. */
  stopPackets(): void;
  close(): void;
}

/** Throws what taps throw. */
export function openPackets(
  tracing: PacketTracing,
  request: ObservationRequest,
  incomplete: string[],
): ObservedPackets {
  const { namespaces, match, outgoing } = request;
  try {
    const paths = namespaces.map(({ path }) => path);
    return watchPackets(tracing.openPacketWatch({ match, namespaces: paths, outgoing }), request);
  } catch (error) {
    if (!isWithoutBpf(error)) throw error;
    incomplete.push(`the kernel's reasons for drops are not known: ${messageOf(error)}`);
    return tapPackets(tracing, request);
  }
}

/** Without sent packets and drops; undefined where the kernel has no BPF, or forbids it. */
export function openReceivedPackets(
  tracing: PacketTracing,
  { namespaces, match }: Omit<ObservationRequest, 'outgoing'>,
): ObservedPackets | undefined {
  try {
    const paths = namespaces.map(({ path }) => path);
    const watch = tracing.openPacketWatch({ match, namespaces: paths, drops: false });
    return watchPackets(watch, { namespaces, outgoing: false });
  } catch (error) {
    if (isWithoutBpf(error)) return undefined;
    throw error;
  }
}

const isWithoutBpf = (error: unknown): boolean =>
  isNetyardError(error, 'unavailable') || hasErrno(error, 'EPERM', 'EACCES', 'ENOSYS');

function watchPackets(
  watch: PacketWatch,
  { namespaces, outgoing }: Omit<ObservationRequest, 'match'>,
): ObservedPackets {
  const find = (path: string): HostNamespace | undefined => namespaces.find((one) => one.path === path);
  return {
    read: async (incomplete) => {
      const seen = await watch.read();
      if (watch.incomplete) incomplete.push('some packets were not seen');
      const packets = seen.packets.flatMap((packet) => {
        const namespace = find(packet.namespace);
        if (namespace === undefined) return [];
        const received = { namespace, packet };
        const sent = outgoing || packet.direction === 'out' ? undefined : sentBy(namespaces, received);
        return sent === undefined ? [received] : [sent, received];
      });
      const drops = seen.drops.flatMap((drop) => {
        const namespace = find(drop.namespace);
        return namespace === undefined ? [] : [{ namespace, drop }];
      });
      return { packets, drops };
    },
    stopPackets: () => watch.stopPackets(),
    close: () => watch.close(),
  };
}

/** What one end of a veth pair receives, the other end has sent; so does a loopback link. */
function sentBy(
  namespaces: readonly HostNamespace[],
  { namespace, packet }: { namespace: HostNamespace; packet: ObservedPacket },
): { namespace: HostNamespace; packet: ObservedPacket } | undefined {
  if (packet.link === 'lo') return { namespace, packet: { ...packet, direction: 'out' } };
  const peer = namespace.links.find(({ name }) => name === packet.link)?.peer;
  const other = namespaces.find(({ id }) => id === peer?.namespaceId);
  const link = other?.links.find(({ index }) => index === peer?.index);
  return other && link && { namespace: other, packet: { ...packet, link: link.name, direction: 'out' } };
}

function tapPackets(tracing: PacketTracing, { namespaces, match }: ObservationRequest): ObservedPackets {
  const taps: { namespace: HostNamespace; tap: PacketTap }[] = [];
  const close = (): void => {
    for (const { tap } of taps) tap.close();
  };
  try {
    for (const namespace of namespaces) taps.push({ namespace, tap: tracing.openTap({ ns: namespace.path, match }) });
  } catch (error) {
    close();
    throw error;
  }
  return {
    read: async (incomplete) => {
      const packets = taps.flatMap(({ namespace, tap }) => tap.read().map((packet) => ({ namespace, packet })));
      for (const { namespace, tap } of taps)
        if (tap.dropped > 0) incomplete.push(`${tap.dropped} packets of ${namespace.name} were not seen`);
      return { packets, drops: [] };
    },
    stopPackets: () => undefined,
    close,
  };
}
