/** Creates, deletes and finds the kernel objects of peers. */

import { type Logger, messageOf } from '@netyard/core';
import { identityOf, type Kernel, type KernelObject, type KernelOperation, listElementsIfAny } from '@netyard/kernel';
import { anyBypass } from '../bypass.ts';
import type { OwnHost } from '../contract.ts';
import { peerProtocol, planPeer } from '../plan.ts';
import { inTables, isPeerComment, peerSets } from '../sets.ts';
import type { Peer, PeerTable } from '../table.ts';
import { tunnelLinks } from '../tunnel.ts';
import { planTunnelTable } from '../tunnel-table.ts';

/** Dependencies of the functions in this file. */
export interface PeerObjectsDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly peers: PeerTable;
  readonly host: OwnHost;
}

/** Queue key that serializes all operations on peers. */
export const peersQueue = 'peers';

const mainTable = 254;

/** One peer's objects; none while it has no path. */
export function planOf({ peers }: Pick<PeerObjectsDependencies, 'peers'>, peer: Peer): KernelObject[] {
  const { record, path } = peer;
  return path ? planPeer(record, path, { ipv6Parts: peers.hasIpv6Parts(peer) }) : [];
}

/** The kernel objects of all peers that have a path. */
export const planPeers = (context: PeerObjectsDependencies): KernelObject[] =>
  [...context.peers.values()].flatMap((peer) => planOf(context, peer));

/**
 * Applies the objects of these peers in one plan. If that fails, each peer is applied on its own, so that one failure
 * does not block the others: it is logged, and the other peers are complete.
 */
export async function applyPeers(context: PeerObjectsDependencies, peers: readonly Peer[]): Promise<KernelOperation[]> {
  if (peers.length === 0) return [];
  try {
    return await applyTogether(context, peers);
  } catch (error) {
    if (peers.length === 1) {
      const [peer] = peers;
      context.logger.error('a peer could not be repaired', { peer: peer?.record.name, error: messageOf(error) });
      return [];
    }
  }
  const operations: KernelOperation[] = [];
  for (const peer of peers) operations.push(...(await applyPeers(context, [peer])));
  return operations;
}

/** All or nothing: throws after a rollback if any object fails. Also deletes the peers' stale objects of former paths. */
export async function applyTogether(
  context: PeerObjectsDependencies,
  peers: readonly Peer[],
): Promise<KernelOperation[]> {
  const plans = peers.map((peer) => ({ peer, objects: planOf(context, peer) }));
  const owner = peers.length === 1 ? `peer ${peers[0]?.record.name}` : `${peers.length} peers`;
  const { operations } = await context.kernel.apply({ owner, objects: plans.flatMap(({ objects }) => objects) });
  const stale = plans.flatMap(({ peer, objects }) => {
    const desired = new Set(objects.map(identityOf));
    const former = (peer.applied ?? []).filter((object) => !desired.has(identityOf(object)));
    peer.applied = objects;
    return former;
  });
  return [...operations, ...(await removeObjects(context, stale))];
}

/** Deletes the objects of these peers, whether or not this process created them. */
export async function removePeerObjects(
  context: PeerObjectsDependencies,
  peers: readonly Peer[],
): Promise<KernelOperation[]> {
  const objects = peers.flatMap((peer) => [...(peer.applied ?? []), ...planOf(context, peer)]);
  const operations = await removeObjects(context, [...new Map(objects.map((o) => [identityOf(o), o])).values()]);
  for (const peer of peers) peer.applied = [];
  return operations;
}

async function removeObjects(
  context: PeerObjectsDependencies,
  objects: readonly KernelObject[],
): Promise<KernelOperation[]> {
  if (objects.length === 0) return [];
  context.host.ownDeletion();
  return (await context.kernel.remove({ owner: 'peers', objects })).operations;
}

/** Deletes conntrack entries of the peers' subnets: masqueraded ones from before, and established ones of removed peers. */
export async function flushPeerConntrack(context: PeerObjectsDependencies, peers: readonly Peer[]): Promise<void> {
  const subnets = peers.flatMap(({ record }) => record.subnets);
  if (subnets.length === 0) return;
  try {
    await context.kernel.flushConntrackOf(subnets);
  } catch (error) {
    const names = peers.slice(0, 5).map(({ record }) => record.name);
    context.logger.error("the peers' conntrack entries could not be deleted", {
      peers: names,
      error: messageOf(error),
    });
  }
}

/** Deletes objects marked as a peer's that belong to no known peer. */
export async function removePeerOrphans(context: PeerObjectsDependencies): Promise<KernelOperation[]> {
  if (context.peers.awaitsCluster) return [];
  const desired = new Set(planPeers(context).map(identityOf));
  const orphans = (await findPeerObjects(context)).filter((object) => !desired.has(identityOf(object)));
  return await removeObjects(context, orphans);
}

/** The tables of the tunnels, desired or not. */
export async function findTunnelTables({ kernel }: PeerObjectsDependencies): Promise<KernelObject[]> {
  const tables = [planTunnelTable(), ...anyBypass()];
  const observations = await kernel.observe(tables);
  return tables.filter((_table, index) => (observations[index]?.state ?? 'absent') !== 'absent');
}

async function findEntries({ kernel }: PeerObjectsDependencies, link: string): Promise<KernelObject[]> {
  const entries = await kernel.listFdb(link);
  const neighbours = await kernel.listNeighbours(link);
  return [
    ...entries.map((entry) => ({ kind: 'fdb', link, ...entry }) as const),
    ...neighbours.map((neighbour) => ({ kind: 'neighbour', link, ...neighbour }) as const),
  ];
}

/** Finds objects marked as a peer's: routes by protocol, elements by comment, all entries of the tunnel interface. */
export async function findPeerObjects(context: PeerObjectsDependencies): Promise<KernelObject[]> {
  const routes = (await context.kernel.listRoutes()).filter(
    ({ protocol, table }) => protocol === peerProtocol && table === mainTable,
  );
  const elements = await Promise.all(
    inTables(peerSets).map(async (set) =>
      (await listElementsIfAny(context.kernel, set))
        .filter(({ comment }) => isPeerComment(comment))
        .map(({ key }) => ({ kind: 'nft-element', ...set, key }) as const),
    ),
  );
  const entries = await Promise.all(Object.values(tunnelLinks).map((link) => findEntries(context, link)));
  return [
    ...elements.flat(),
    ...entries.flat(),
    ...routes.map(({ to, via, link }) => ({
      kind: 'route' as const,
      to,
      ...(via === undefined ? {} : { via }),
      ...(link === undefined ? {} : { link }),
      protocol: peerProtocol,
    })),
  ];
}
