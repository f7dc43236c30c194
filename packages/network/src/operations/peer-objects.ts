/** What stands in the kernel for peers: made for some or all of them at once, taken away, and found by its marks. */

import type { Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import { identityOf, type KernelObject, type KernelOperation } from '@netyard/kernel';
import { tableName } from '../firewall/table.ts';
import type { Peer, PeerTable } from '../peers/table.ts';
import { isPeerComment, peerProtocol, peerSets, planPeer } from '../plan/peer.ts';
import { tunnelLink } from '../tunnel.ts';
import { listElements } from './table-elements.ts';

/** What the functions of this file work on. */
export interface PeerObjectsDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly peers: PeerTable;
  ownDeletion(): void;
}

/** All pieces of work on peers wait for one another under this key. */
export const peersQueue = 'peers';

const mainTable = 254;

/** One peer's objects; none while it has no path. */
export const planOf = ({ record, path }: Peer): KernelObject[] => (path ? planPeer(record, path) : []);

/** The kernel objects of all peers that have a path. */
export const planPeers = (context: PeerObjectsDependencies): KernelObject[] =>
  [...context.peers.values()].flatMap(planOf);

/**
 * Makes these peers' objects, all in one plan. When that is refused each is tried alone, so that one keeps no other:
 * who fails is told of, and what the others need is there.
 */
export async function applyPeers(context: PeerObjectsDependencies, peers: readonly Peer[]): Promise<KernelOperation[]> {
  if (peers.length === 0) return [];
  try {
    return await applyTogether(context, peers);
  } catch (error) {
    if (peers.length === 1) {
      const [peer] = peers;
      context.logger.error('a peer could not be mended', { peer: peer?.record.name, error: messageOf(error) });
      return [];
    }
  }
  const done: KernelOperation[] = [];
  for (const peer of peers) done.push(...(await applyPeers(context, [peer])));
  return done;
}

/** Throws, with nothing of it done, when any is refused. Answers what was done; what they had elsewhere is taken away. */
export async function applyTogether(
  context: PeerObjectsDependencies,
  peers: readonly Peer[],
): Promise<KernelOperation[]> {
  const plans = peers.map((peer) => ({ peer, objects: planOf(peer) }));
  const owner = peers.length === 1 ? `peer ${peers[0]?.record.name}` : `${peers.length} peers`;
  const { operations } = await context.kernel.apply({ owner, objects: plans.flatMap(({ objects }) => objects) });
  const stale = plans.flatMap(({ peer, objects }) => {
    const wanted = new Set(objects.map(identityOf));
    const former = (peer.made ?? []).filter((object) => !wanted.has(identityOf(object)));
    peer.made = objects;
    return former;
  });
  return [...operations, ...(await removeObjects(context, stale))];
}

/** Takes away what was made for these peers, known to this process or not. */
export async function removePeerObjects(
  context: PeerObjectsDependencies,
  peers: readonly Peer[],
): Promise<KernelOperation[]> {
  const objects = peers.flatMap((peer) => [...(peer.made ?? []), ...planOf(peer)]);
  const operations = await removeObjects(context, [...new Map(objects.map((o) => [identityOf(o), o])).values()]);
  for (const peer of peers) peer.made = [];
  return operations;
}

async function removeObjects(
  context: PeerObjectsDependencies,
  objects: readonly KernelObject[],
): Promise<KernelOperation[]> {
  if (objects.length === 0) return [];
  context.ownDeletion();
  return (await context.kernel.remove({ owner: 'peers', objects })).operations;
}

/** What goes on from before, masqueraded, and what would go on afterwards, as it was let in once. */
export async function forgetConnections(context: PeerObjectsDependencies, peers: readonly Peer[]): Promise<void> {
  const subnets = peers.flatMap(({ record }) => record.subnets);
  if (subnets.length === 0) return;
  try {
    await context.kernel.forgetConnectionsOf(subnets);
  } catch (error) {
    const names = peers.slice(0, 5).map(({ record }) => record.name);
    context.logger.error('open connections could not be forgotten', { peers: names, error: messageOf(error) });
  }
}

/** Takes away what bears the marks of peers and belongs to none of them. */
export async function removeStrays(context: PeerObjectsDependencies): Promise<KernelOperation[]> {
  if (context.peers.awaitsCluster) return [];
  const wanted = new Set(planPeers(context).map(identityOf));
  const strays = (await findPeerObjects(context)).filter((object) => !wanted.has(identityOf(object)));
  return await removeObjects(context, strays);
}

/** What bears the marks of peers: routes by their protocol, elements by their comment, all that is on our tunnel. */
export async function findPeerObjects(context: PeerObjectsDependencies): Promise<KernelObject[]> {
  const routes = (await context.kernel.listRoutes()).filter(
    ({ protocol, table }) => protocol === peerProtocol && table === mainTable,
  );
  const elements = await Promise.all(
    peerSets.map(async (set) =>
      (await listElements(context.kernel, set))
        .filter(({ comment }) => isPeerComment(comment))
        .map(({ key }) => ({ kind: 'nft-element', family: 'ip', table: tableName, set, key }) as const),
    ),
  );
  const entries = await context.kernel.listFdb(tunnelLink);
  const neighbours = await context.kernel.listNeighbours(tunnelLink);
  return [
    ...elements.flat(),
    ...entries.map((entry) => ({ kind: 'fdb', link: tunnelLink, ...entry }) as const),
    ...neighbours.map((neighbour) => ({ kind: 'neighbour', link: tunnelLink, ...neighbour }) as const),
    ...routes.map(({ to, via, link }) => ({
      kind: 'route' as const,
      to,
      ...(via === undefined ? {} : { via }),
      ...(link === undefined ? {} : { link }),
      protocol: peerProtocol,
    })),
  ];
}
