/** Asks who has the addresses of the next hops, when a probe was not answered. */
import { messageOf } from '@netyard/core';
import { addressedBridge, type HostNamespace, type HostTopology } from '@netyard/topology';
import type { TraceCase } from './explain/case.ts';
import type { NeighbourCheck, Sighting, TracePacket } from './model.ts';
import { lookUpRoute } from './route-lookup.ts';
import type { TraceTools } from './tools.ts';

interface NeighbourQuestion {
  namespace: HostNamespace;
  link: string;
  address: string;
}

/**
 * Who has the addresses of the next hops on the last link, and on the first one if nothing left it. Links without MACs, such
 * as those of WireGuard, and namespaces that have ended are not asked.
 */
export async function askNeighbours(
  tools: Pick<TraceTools, 'askNeighbour'>,
  { topology, path, from, packet }: Pick<TraceCase, 'topology' | 'path' | 'from' | 'packet'>,
  { sightings, incomplete }: { sightings: readonly Sighting[]; incomplete: string[] },
): Promise<NeighbourCheck[]> {
  const first = sightings.length > 0 || from.namespace === undefined ? undefined : firstLink(from.namespace, packet);
  const last = lastLink(topology, path);
  const questions = [first, last].filter((question) => question !== undefined);
  const checks = await Promise.all(
    questions.map(({ namespace, link, address }) =>
      tools.askNeighbour(namespace, link, address).catch((error: unknown) => {
        const problem = `who has ${address} on ${link} of ${namespace.name} cannot be asked: ${messageOf(error)}`;
        if (!incomplete.includes(problem)) incomplete.push(problem);
        return undefined;
      }),
    ),
  );
  return checks.filter((check) => check !== undefined);
}

function firstLink(namespace: HostNamespace, { destination }: TracePacket): NeighbourQuestion | undefined {
  const route = lookUpRoute(namespace, destination);
  if (route?.link === undefined || route.type !== 'unicast') return undefined;
  return { namespace, link: route.link, address: route.via ?? destination };
}

function lastLink(topology: HostTopology, { hops, end }: TraceCase['path']): NeighbourQuestion | undefined {
  const find = (id: string): HostNamespace | undefined => topology.namespaces.find((namespace) => namespace.id === id);
  if (end.kind === 'no-neighbour' || end.kind === 'left') {
    const namespace = find(end.namespaceId);
    return namespace && { namespace, link: end.link, address: end.nextHop };
  }
  const bridge = hops.findLast(({ kind }) => kind === 'bridge');
  const namespace = bridge && find(bridge.namespaceId);
  const link = namespace?.links.find(({ name }) => name === bridge?.name);
  if (bridge === undefined || namespace === undefined) return undefined;
  const asked = link === undefined ? bridge.name : addressedBridge(namespace, link).name;
  return { namespace, link: asked, address: end.packet.destination };
}
