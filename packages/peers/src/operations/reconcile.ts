/** Reconciles peers: determines their paths again, applies their objects, and deletes orphaned ones. */

import type { KeyedQueue } from '@netyard/core';
import type { KernelOperation } from '@netyard/kernel';
import type { ReconcileScope } from '../contract.ts';
import type { Peer, PeerTable } from '../table.ts';
import { admitRefused, type ClusterPeersDependencies } from './cluster.ts';
import { applyPeers, type PeerObjectsDependencies, peersQueue, removePeerOrphans } from './objects.ts';
import { type PeerPathsDependencies, updatePath, viewHost } from './paths.ts';
import { reconcileTunnel, type TunnelDependencies } from './tunnel.ts';

/** Dependencies of the functions in this file. */
export interface PeerReconcilerDependencies
  extends ClusterPeersDependencies,
    PeerObjectsDependencies,
    PeerPathsDependencies,
    TunnelDependencies {
  readonly peers: PeerTable;
  readonly queue: KeyedQueue;
}

/** The union of two scopes; `paths` together with names is `all`. */
export function uniteScopes(a: ReconcileScope | undefined, b: ReconcileScope): ReconcileScope {
  if (a === undefined || a === b) return b;
  if (typeof a === 'string' || typeof b === 'string') return 'all';
  return new Set([...a, ...b]);
}

/** Returns the operations. An unreachable peer is logged and tried again at the kernel's next event. */
export async function reconcilePeers(
  context: PeerReconcilerDependencies,
  scope: ReconcileScope,
): Promise<KernelOperation[]> {
  return context.queue.run(peersQueue, async () => {
    if (scope === 'all') {
      updateAllPaths(context, await viewHost(context, { fresh: true }));
      const tunnel = await reconcileTunnel(context, { strict: false });
      const deleted = await removePeerOrphans(context);
      return [
        ...tunnel,
        ...deleted,
        ...(await applyPeers(context, [...context.peers.values()])),
        ...(await admitRefused(context)),
      ];
    }
    const host = await viewHost(context, { fresh: false });
    if (scope === 'paths') {
      const moved = updateAllPaths(context, host);
      const tunnel = await reconcileTunnel(context, { strict: false });
      return [...tunnel, ...(await applyPeers(context, moved)), ...(await admitRefused(context))];
    }
    const named = [...scope].flatMap((name) => context.peers.get(name) ?? []);
    for (const peer of named) updatePath(context, peer, host);
    const tunnel = await reconcileTunnel(context, { strict: false });
    return [...tunnel, ...(await applyPeers(context, named))];
  });
}

/** Returns the peers whose path changed. Configured peers claim their subnets first, so that others cannot take them. */
function updateAllPaths(context: PeerReconcilerDependencies, host: Parameters<typeof updatePath>[2]): Peer[] {
  const rank = { config: 0, request: 1, cluster: 2 } as const;
  const peers = [...context.peers.values()].sort((a, b) => rank[a.origin] - rank[b.origin]);
  return peers.filter((peer) => updatePath(context, peer, host));
}
