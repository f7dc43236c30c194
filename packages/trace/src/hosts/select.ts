/** Which namespaces of a host one flow may concern, and what of them another host needs to know. Pure. */
import type { HostContainer, HostSurvey, HostTopology } from '@netyard/topology';
import { findEnd } from '../ends.ts';
import { withoutLength } from '../route-lookup.ts';
import type { FlowRequest } from '../tools.ts';

/** Of those that no engine claims: each is observed, because only that shows its addresses. */
const maxBareNamespaces = 32;
/** An answer has all that a flow may concern, and is bounded. */
const maxContainers = 256;

/** The host's own namespace, those of the target, and of containers that publish its port. Throws as `findEnd` does. */
export function selectNamespaces(survey: HostSurvey, { target, port }: FlowRequest): Set<string> {
  const named = findEnd({ ...survey, namespaces: [] }, target)?.container;
  const isConcerned = (container: HostContainer): boolean =>
    container === named ||
    addressesOf(container).includes(target) ||
    container.ports.some(({ hostPort }) => hostPort === port);
  const bare = survey.containers.filter(({ engine }) => engine === 'namespace').slice(0, maxBareNamespaces);
  return new Set([
    ...survey.namespaces.filter(({ isHost }) => isHost).map(({ id }) => id),
    ...[...survey.containers.filter(isConcerned), ...bare].flatMap(({ namespaceId }) => namespaceId ?? []),
  ]);
}

const addressesOf = ({ attachments }: HostContainer): string[] =>
  attachments.flatMap(({ addresses }) => addresses).map(withoutLength);

/** Without what no explanation reads: learned neighbours, processes, containers elsewhere. */
export function pruneTopology(topology: HostTopology): HostTopology {
  const ids = new Set(topology.namespaces.map(({ id }) => id));
  return {
    ...topology,
    engines: [],
    containers: topology.containers
      .filter(({ namespaceId }) => namespaceId === undefined || ids.has(namespaceId))
      .slice(0, maxContainers),
    namespaces: topology.namespaces.map((namespace) => ({
      ...namespace,
      processes: [],
      neighbours: namespace.neighbours.filter(({ state }) => state === 'permanent'),
    })),
  };
}
