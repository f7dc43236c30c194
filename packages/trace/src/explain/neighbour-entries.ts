/** Causes in neighbour tables: entries with a MAC that the next hop does not have, made by hand or out of date. Pure. */
import type { HostNamespace, NamespaceLink, NamespaceNeighbour } from '@netyard/topology';
import { commandLine } from '../command-line.ts';
import type { Conclusion } from '../model.ts';
import { type CauseFinder, commandIn, forward, isBridgePort, notReached, placeName, type TraceCase } from './case.ts';

/** An entry on the path, and who really has its address. */
interface WrongEntry {
  at: HostNamespace;
  entry: NamespaceNeighbour;
  owner: Owner;
}

interface Owner {
  namespace: HostNamespace;
  link: NamespaceLink;
}

/** The packet arrived with a MAC that the receiver does not have. */
export const wrongMac: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  const misaddressed = forward(evidence).find((seen) => seen.otherHost && !isBridgePort(trace, seen));
  if (misaddressed === undefined) return undefined;
  const name = placeName(trace, misaddressed.namespaceId);
  const wrong = findWrongEntry(trace);
  if (wrong === undefined) {
    return notReached('wrong-mac', `Reached ${name} with a MAC not its own.`, {
      fix: `look for the neighbour entry on the way: ip neigh show ${misaddressed.packet.destination}`,
    });
  }
  const kind = wrong.entry.state === 'permanent' ? 'a permanent' : 'an outdated';
  return notReached(
    'wrong-mac',
    `Reached ${name} with a MAC not its own, from ${kind} neighbour entry of ${placeName(trace, wrong.at.id)}.`,
    { fix: deleteEntry(trace, wrong) },
  );
};

/**
 * The packet was sent to the former MAC of its next hop, so that no interface took it: a bridge without a MAC of its own
 * has that of one of its ports, and takes another one when containers start and stop.
 */
export const outdatedMac: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered' || forward(evidence).length === 0)
    return undefined;
  const wrong = findWrongEntry(trace);
  if (wrong === undefined || wasTakenBy(trace, wrong.owner)) return undefined;
  const { at, entry, owner } = wrong;
  const place = placeName(trace, owner.namespace.id);
  return notReached(
    'outdated-mac',
    `Sent to ${entry.mac}, which ${owner.link.name} of ${place} does not have: the neighbour entry of ${placeName(trace, at.id)} for ${entry.address} is ${entry.state === 'permanent' ? 'wrong' : 'out of date'}.`,
    { grade: 'inferred', fix: deleteEntry(trace, wrong) },
  );
};

const wasTakenBy = ({ evidence }: TraceCase, { namespace, link }: Owner): boolean =>
  evidence !== undefined &&
  forward(evidence).some(
    (seen) =>
      seen.namespaceId === namespace.id && seen.link === link.name && seen.direction === 'in' && !seen.otherHost,
  );

const deleteEntry = (trace: TraceCase, { at, entry }: WrongEntry): NonNullable<Conclusion['fix']> =>
  commandIn(trace, at.id, commandLine`ip neigh del ${entry.address} dev ${entry.link}`);

function findWrongEntry(trace: TraceCase): WrongEntry | undefined {
  const { namespaces } = trace.topology;
  for (const at of namespaces)
    for (const entry of at.neighbours) {
      if (entry.mac === undefined || !isOnPath(trace, at.id, entry.address)) continue;
      const owners = ownersOf(namespaces, entry.address).filter(({ namespace }) => namespace.id !== at.id);
      const [owner] = owners;
      if (owner !== undefined && isWrong(entry, owners, namespaces)) return { at, entry, owner };
    }
  return undefined;
}

/**
 * Bridges take packets for the MACs of their ports, too. An entry that was learned is right if anyone here has its MAC,
 * who may answer ARP for others.
 */
function isWrong(
  { mac, state }: NamespaceNeighbour,
  owners: readonly Owner[],
  namespaces: readonly HostNamespace[],
): boolean {
  const holders = state === 'permanent' ? owners.map(({ namespace }) => namespace) : namespaces;
  return !holders.some(({ links }) => links.some((link) => link.mac === mac));
}

const isOnPath = ({ path, packet }: TraceCase, namespaceId: string, address: string): boolean =>
  path.hops.some((hop) => hop.namespaceId === namespaceId) &&
  (path.end.packet.destination === address ||
    packet.destination === address ||
    path.hops.some(({ name }) => name.includes(` via ${address} `)));

const ownersOf = (namespaces: readonly HostNamespace[], address: string): Owner[] =>
  namespaces.flatMap((namespace) =>
    namespace.links
      .filter(({ mac, addresses }) => mac !== undefined && addresses.some((own) => own.split('/')[0] === address))
      .map((link) => ({ namespace, link })),
  );
