/** Causes in links and neighbours: links that are down, MTU, addresses without host, doubled addresses. Pure. */
import { bridgeOf, type HostNamespace, type HostNetwork, type NamespaceLink } from '@netyard/topology';
import { type AttachmentProblem, attachmentProblems } from '../attachment-problems.ts';
import { commandLine } from '../command-line.ts';
import type { Conclusion, Hop } from '../model.ts';
import { isIn } from '../route-lookup.ts';
import {
  type CauseFinder,
  commandIn,
  containerWith,
  forward,
  growthOf,
  nameOf,
  namespaceOf,
  networksOf,
  notReached,
  placeName,
  type TraceCase,
} from './case.ts';

/** A link on the way is down, or a veth is not in its bridge. */
export const linkDown: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind === 'link-down') {
    const place = placeName(trace, end.namespaceId);
    const of = namespaceOf(trace, end.namespaceId)?.isHost ? `on ${place}` : `in ${place}`;
    return notReached('link-down', `${end.link} is down ${of}.`, {
      grade: 'inferred',
      fix: commandIn(trace, end.namespaceId, commandLine`ip link set ${end.link} up`),
    });
  }
  return detached(trace);
};

/** The host's end of an end's veth pair does not reach the bridge of the network that an engine says it is in. */
function detached(trace: TraceCase): Conclusion | undefined {
  if (trace.evidence?.probe.outcome === 'answered') return undefined;
  for (const end of [trace.from, trace.to]) {
    const container = end.container ?? containerWith(trace, trace.packet.destination);
    const namespace = end.namespace ?? trace.topology.namespaces.find(({ id }) => id === container?.namespaceId);
    if (namespace === undefined || namespace.isHost || container === undefined) continue;
    for (const network of networksOf(trace, container)) {
      const problem = findProblem(trace, namespace, network, container.name);
      if (problem === undefined) continue;
      const { host, link, text, fix } = problem;
      const place = placeName(trace, host.id);
      return notReached('link-down', `${link} ${text} on ${place}.`, { grade: 'inferred', fix });
    }
  }
  return undefined;
}

/** `name`: of the container, whose own end is named with it. */
function findProblem(
  trace: TraceCase,
  namespace: HostNamespace,
  { driver, link, subnets }: HostNetwork,
  name: string,
): (AttachmentProblem & { host: HostNamespace }) | undefined {
  const found = hostEnd(
    trace,
    namespace,
    subnets.map(({ subnet }) => subnet),
  );
  if (driver !== 'bridge' || link === undefined || found === undefined) return undefined;
  const { host, link: port } = found;
  const own = `${name}'s ${port.name}`;
  const bridge = host.links.find((one) => one.name === link);
  const up = { host, link: own, text: 'is down', fix: commandLine`ip link set ${port.name} up` };
  if (bridge === undefined) {
    const fix = commandLine`ip link set ${port.name} master ${link}`;
    return port.up ? { host, link: own, text: `is not in ${link}`, fix } : up;
  }
  const [problem] = attachmentProblems(host, port, bridge);
  if (bridge.up && !port.up) return up;
  if (problem === undefined || staysOnBridge(trace, host, port)) return undefined;
  return { ...problem, host, ...(problem.link === port.name ? { link: own } : {}) };
}

/** Whether the packet needs no other bridge than that of a port, and not the host. */
function staysOnBridge({ path }: TraceCase, host: HostNamespace, port: NamespaceLink): boolean {
  const bridge = bridgeOf(host, port);
  const passed = path.hops.filter(({ namespaceId, kind }) => namespaceId === host.id && kind !== 'link');
  return (
    bridge !== undefined &&
    path.end.kind === 'delivered' &&
    path.end.namespaceId !== host.id &&
    passed.every(({ kind, name }) => kind === 'bridge' && name === bridge.name)
  );
}

/** The host's end of the veth pair by which a namespace is in one of these subnets. */
function hostEnd(
  trace: TraceCase,
  namespace: HostNamespace,
  subnets: readonly string[],
): { host: HostNamespace; link: NamespaceLink } | undefined {
  for (const link of namespace.links) {
    const host = trace.topology.namespaces.find(({ id }) => id === link.peer?.namespaceId);
    const outer = host?.links.find(({ index }) => index === link.peer?.index);
    if (host?.isHost && outer && link.addresses.some((address) => subnets.some((subnet) => isIn(address, subnet))))
      return { host, link: outer };
  }
  return undefined;
}

/** Two MACs answer for one address. */
export const doubledAddress: CauseFinder = (trace) => {
  const doubled = trace.evidence?.neighbours.find(({ macs }) => macs.length > 1);
  if (doubled === undefined || trace.evidence?.probe.outcome === 'answered') return undefined;
  const names = doubled.macs.map((mac) => ownerOfMac(trace, mac) ?? mac);
  return notReached(
    'doubled-address',
    `Two MACs answer for ${doubled.address} on ${doubled.link}: ${names.join(' and ')}.`,
    {
      fix: `give one of them another address`,
    },
  );
};

function ownerOfMac({ topology }: TraceCase, mac: string): string | undefined {
  const namespace = topology.namespaces.find(({ links }) => links.some((link) => link.mac === mac));
  return namespace === undefined || namespace.isHost ? undefined : namespace.name;
}

/** No host has the next hop's address. */
export const noNeighbour: CauseFinder = (trace) => {
  const { end } = trace.path;
  const { evidence } = trace;
  if (evidence?.probe.outcome === 'answered') return undefined;
  if (end.kind !== 'no-neighbour' && end.kind !== 'left') return undefined;
  const asked = evidence?.neighbours.find(({ address }) => address === end.nextHop);
  const question = end.nextHop.includes(':') ? 'neighbour solicitations' : 'ARP';
  if (end.kind === 'no-neighbour' && (asked === undefined || asked.macs.length === 0)) {
    return notReached('no-neighbour', `No host answers ${question} for ${end.nextHop} on ${end.link}.`, {
      grade: asked ? 'observed' : 'predicted',
      fix: `check the address; containers of ${end.link}: netyard ps`,
    });
  }
  if (asked === undefined || asked.macs.length > 0) return undefined;
  return notReached(
    'next-hop-silent',
    `${end.nextHop} does not answer ${question} on ${end.link} of ${placeName(trace, end.namespaceId)}.`,
    {
      fix: `check the cable, the VLAN and the address of ${end.nextHop}`,
    },
  );
};

/** The sender's next hop does not answer, so nothing left the sender. */
export const silentNextHop: CauseFinder = (trace) => {
  const { evidence, from } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered' || forward(evidence).length > 0) return undefined;
  const asked = evidence.neighbours.find(({ namespaceId }) => namespaceId === from.namespace?.id);
  if (asked === undefined || asked.macs.length > 0) return undefined;
  const { address, link, namespaceId } = asked;
  const question = address.includes(':') ? 'neighbour solicitations' : 'ARP';
  return notReached(
    'next-hop-silent',
    `${address} does not answer ${question} on ${link} of ${placeName(trace, namespaceId)}.`,
    {
      fix: `look for what has ${address}: its interface may be down, or its reverse path filter may refuse ${nameOf(from)}`,
    },
  );
};

/** Both ends of a veth pair have different MTUs, and a packet that is too long for the receiver vanishes without ICMP. */
export const mtuMismatch: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  for (const hop of trace.path.hops) {
    const pair = vethPair(trace, hop);
    if (pair === undefined || pair.outer.mtu === pair.inner.mtu) continue;
    const dropped =
      growthOf(trace, hop.namespaceId, `${pair.outer.name} tx_dropped`) +
      growthOf(trace, pair.innerId, `${pair.inner.name} rx_dropped`);
    if (dropped === 0) continue;
    const place = placeName(trace, pair.innerId);
    return notReached(
      'mtu-mismatch',
      `Swallowed between ${pair.outer.name} (${pair.outer.mtu}) and ${place}'s ${pair.inner.name} (${pair.inner.mtu}): their MTUs differ.`,
      {
        fix: raiseMtu(trace, hop.namespaceId, pair),
      },
    );
  }
  return undefined;
};

/** The smaller MTU becomes the larger one, which the rest of the network has. */
function raiseMtu(trace: TraceCase, outerId: string, { outer, inner, innerId }: VethPair): string {
  return outer.mtu > inner.mtu
    ? commandIn(trace, innerId, commandLine`ip link set ${inner.name} mtu ${outer.mtu}`)
    : commandIn(trace, outerId, commandLine`ip link set ${outer.name} mtu ${inner.mtu}`);
}

interface VethPair {
  outer: NamespaceLink;
  inner: NamespaceLink;
  innerId: string;
}

function vethPair(trace: TraceCase, hop: Hop): VethPair | undefined {
  if (hop.kind !== 'link' || hop.direction !== 'out') return undefined;
  const outer = namespaceOf(trace, hop.namespaceId)?.links.find(({ name }) => name === hop.name);
  const innerId = outer?.peer?.namespaceId;
  const inner =
    innerId === undefined
      ? undefined
      : namespaceOf(trace, innerId)?.links.find(({ index }) => index === outer?.peer?.index);
  return outer && inner && innerId !== undefined ? { outer, inner, innerId } : undefined;
}
