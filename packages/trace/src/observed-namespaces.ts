/** Which namespaces of a host are observed for a predicted path, and what they do not show. Pure. */
import type { HostNamespace } from '@netyard/topology';
import type { TraceCase } from './explain/case.ts';

/** The host's namespace always: translated packets take ways that the prediction does not know. */
export function namespacesOf({ topology, from, to, path: { hops } }: TraceCase): HostNamespace[] {
  const ids = new Set(hops.map(({ namespaceId }) => namespaceId));
  for (const end of [from, to]) if (end.namespace) ids.add(end.namespace.id);
  return topology.namespaces.filter(({ id, isHost }) => isHost || ids.has(id));
}

/** Whether a link on the way sends to where nothing is observed, so that only the link itself shows what it sends. */
export const leavesObserved = (namespaces: readonly HostNamespace[], { hops, end }: TraceCase['path']): boolean =>
  end.kind === 'left' ||
  hops.some(({ kind, direction, namespaceId, name }) => {
    if (kind !== 'link' || direction !== 'out' || name === 'lo') return false;
    const links = namespaces.find(({ id }) => id === namespaceId)?.links ?? [];
    const peer = links.find((link) => link.name === name)?.peer;
    return !namespaces.some(({ id }) => id === peer?.namespaceId);
  });
