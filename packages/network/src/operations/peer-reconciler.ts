/** Peers kept true: looked for again, their objects compared and made, those of nobody taken away. */

import type { KeyedQueue } from '@netyard/core';
import type { KernelOperation } from '@netyard/kernel';
import type { Peer, PeerTable } from '../peers/table.ts';
import type { ClusterPeersDependencies } from './cluster-peers.ts';
import { admitRefused } from './cluster-peers.ts';
import type { PeerObjectsDependencies } from './peer-objects.ts';
import { applyPeers, peersQueue, removeStrays } from './peer-objects.ts';
import type { PeerPlacesDependencies } from './peer-paths.ts';
import { settle, viewHost } from './peer-paths.ts';
import type { TunnelDependencies } from './tunnel.ts';
import { reconcileTunnel } from './tunnel.ts';

/** What the functions of this file work on. */
export interface MendPeersDependencies
  extends ClusterPeersDependencies,
    PeerObjectsDependencies,
    PeerPlacesDependencies,
    TunnelDependencies {
  readonly peers: PeerTable;
  readonly queue: KeyedQueue;
}

/**
 * `all`: everything is compared. `places`: somebody's route or address changed, so only the peers that are found elsewhere
 * are. Names: these are.
 */
export type ReconcileScope = 'all' | 'places' | ReadonlySet<string>;

/** The scope that takes in both: names beside changed places are as good as all. */
export function widest(a: ReconcileScope | undefined, b: ReconcileScope): ReconcileScope {
  if (a === undefined || a === b) return b;
  if (typeof a === 'string' || typeof b === 'string') return 'all';
  return new Set([...a, ...b]);
}

/** Answers what it did. A peer that cannot be reached now is told of and waits for the kernel's next event. */
export async function reconcilePeers(
  context: MendPeersDependencies,
  scope: ReconcileScope,
): Promise<KernelOperation[]> {
  return context.queue.run(peersQueue, async () => {
    if (scope === 'all') {
      reconcileAll(context, await viewHost(context, { fresh: true }));
      const tunnel = await reconcileTunnel(context, { strict: false });
      const gone = await removeStrays(context);
      return [
        ...tunnel,
        ...gone,
        ...(await applyPeers(context, [...context.peers.values()])),
        ...(await admitRefused(context)),
      ];
    }
    const host = await viewHost(context, { fresh: false });
    if (scope === 'places') {
      const moved = reconcileAll(context, host);
      const tunnel = await reconcileTunnel(context, { strict: false });
      return [...tunnel, ...(await applyPeers(context, moved)), ...(await admitRefused(context))];
    }
    const named = [...scope].flatMap((name) => context.peers.get(name) ?? []);
    for (const peer of named) settle(context, peer, host);
    const tunnel = await reconcileTunnel(context, { strict: false });
    return [...tunnel, ...(await applyPeers(context, named))];
  });
}

/** Those that have another path than before. Who stands in the configuration comes first, so that nobody takes its place. */
function reconcileAll(context: MendPeersDependencies, host: Parameters<typeof settle>[2]): Peer[] {
  const rank = { config: 0, request: 1, cluster: 2 } as const;
  const peers = [...context.peers.values()].sort((a, b) => rank[a.origin] - rank[b.origin]);
  return peers.filter((peer) => settle(context, peer, host));
}
