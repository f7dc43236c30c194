/** The tools of a trace on this host: the kernel's packet tracing. */
import type { Probe as KernelProbe, ProbeResult as KernelResult, PacketTracing, TraceMatch } from '@netyard/kernel';
import type { HostNamespace } from '@netyard/topology';
import { readConntrack } from './conntrack.ts';
import { withLegacyRules } from './legacy-rules.ts';
import { openLiveObservation } from './live-observation.ts';
import type { ProbeResult, TracePacket } from './model.ts';
import { resolveInNamespace } from './name-query.ts';
import { openObservation, openPacketObservation } from './observation.ts';
import type { Probe, TraceTools } from './tools.ts';

export function openTraceTools(tracing: PacketTracing): Omit<TraceTools, 'observe' | 'peers'> {
  return {
    resolve: resolveInNamespace,
    readConntrack,
    openProbe: async (sender, packet, size) => openProbe(tracing, sender, packet, size),
    watch: async (namespaces, packet) => openPacketObservation(tracing, { namespaces, match: matchOf(packet) }),
    arm: (namespaces, packet, outgoing) =>
      withLegacyRules(namespaces, () => openObservation(tracing, { namespaces, match: matchOf(packet), outgoing })),
    armLive: async (namespaces, match) => openLiveObservation(tracing, { namespaces, match }),
    askNeighbour: async (namespace, link, address) => ({
      ...{ namespaceId: namespace.id, link, address },
      macs: await tracing.solicitNeighbours({ ns: namespace.path, link, address }),
    }),
  };
}

const matchOf = ({ protocol, destination, sourcePort = 0 }: TracePacket): TraceMatch => ({
  ...{ family: destination.includes(':') ? 6 : 4, protocol, id: sourcePort },
});

function openProbe(tracing: PacketTracing, sender: HostNamespace, packet: TracePacket, size?: number): Probe {
  const { protocol, destination, destinationPort } = packet;
  const probe = tracing.openProbe({
    ...{ ns: sender.path, protocol, destination },
    ...(destinationPort === undefined ? {} : { port: destinationPort }),
    ...(size === undefined ? {} : { dataLength: size, dontFragment: true }),
  });
  return {
    sourcePort: probe.match.id,
    send: async (waitMs, signal) => send(probe, waitMs, signal),
    close: () => probe.close(),
  };
}

async function send(probe: KernelProbe, waitMs: number, signal?: AbortSignal): Promise<ProbeResult> {
  const begin = performance.now();
  const result = await probe.send(waitMs, signal);
  return { ...translate(result), ms: performance.now() - begin };
}

function translate({ outcome, errno, icmp, source }: KernelResult): Omit<ProbeResult, 'ms'> {
  return {
    outcome: outcome === 'connected' ? 'answered' : outcome,
    ...(errno === undefined ? {} : { errno }),
    ...(icmp === undefined ? {} : { reportedBy: icmp.from }),
    ...(source === undefined ? {} : { source }),
  };
}
