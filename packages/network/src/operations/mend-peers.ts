/** Peers kept true: looked for again, their objects compared and made, those of nobody taken away. */

import type { KeyedQueue } from '@netyard/core';
import type { KernelOperation } from '@netyard/kernel';
import type { Peer, PeerTable } from '../peers/table.ts';
import type { ClusterPeersDependencies } from './cluster-peers.ts';
import { admitRefused } from './cluster-peers.ts';
import type { PeerObjectsDependencies } from './peer-objects.ts';
import { applyPeers, peersQueue, removeStrays } from './peer-objects.ts';
import type { PeerPlacesDependencies } from './peer-places.ts';
import { settle, viewHost } from './peer-places.ts';
import type { TunnelDependencies } from './tunnel.ts';
import { settleTunnel } from './tunnel.ts';

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
export type MendScope = 'all' | 'places' | ReadonlySet<string>;

/** The scope that takes in both: names beside changed places are as good as all. */
export function widest(a: MendScope | undefined, b: MendScope): MendScope {
  if (a === undefined || a === b) return b;
  if (typeof a === 'string' || typeof b === 'string') return 'all';
  return new Set([...a, ...b]);
}

/** Answers what it did. A peer that cannot be reached now is told of and waits for the kernel's next event. */
export async function mendPeers(context: MendPeersDependencies, scope: MendScope): Promise<KernelOperation[]> {
  return context.queue.run(peersQueue, async () => {
    if (scope === 'all') {
      settleAll(context, await viewHost(context, { fresh: true }));
      const tunnel = await settleTunnel(context, { strict: false });
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
      const moved = settleAll(context, host);
      const tunnel = await settleTunnel(context, { strict: false });
      return [...tunnel, ...(await applyPeers(context, moved)), ...(await admitRefused(context))];
    }
    const named = [...scope].flatMap((name) => context.peers.get(name) ?? []);
    for (const peer of named) settle(context, peer, host);
    const tunnel = await settleTunnel(context, { strict: false });
    return [...tunnel, ...(await applyPeers(context, named))];
  });
}

/** Those that have another path than before. Who stands in the configuration comes first, so that nobody takes its place. */
function settleAll(context: MendPeersDependencies, host: Parameters<typeof settle>[2]): Peer[] {
  const rank = { config: 0, request: 1, cluster: 2 } as const;
  const peers = [...context.peers.values()].sort((a, b) => rank[a.origin] - rank[b.origin]);
  return peers.filter((peer) => settle(context, peer, host));
}
