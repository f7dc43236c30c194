/**
 * Where peers are, as the host is now. What the kernel tells of the host is kept until it says that something changed,
 * so that one more peer among many asks for no lists.
 */

import type { Logger } from '@netyard/core';
import { isNetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { bridgeOf } from '../lookup.ts';
import { checkPlace, type HostView } from '../peers/host-view.ts';
import { findPath } from '../peers/path.ts';
import type { Peer, PeerTable } from '../peers/table.ts';
import { peerProtocol } from '../plan/peer.ts';

/** What the functions of this file work on. */
export interface PeerPlacesDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly peers: PeerTable;
  hostView: HostView | undefined;
  mtuLimit: number | undefined;
}

/** `fresh`: whatever is known is asked for again. */
export async function viewHost(context: PeerPlacesDependencies, options: { fresh: boolean }): Promise<HostView> {
  const known = context.hostView;
  if (known !== undefined && !options.fresh) return known;
  const { kernel, networks } = context;
  const view: HostView = {
    links: await kernel.listLinks(),
    addresses: await kernel.listAddresses(),
    routes: (await kernel.listRoutes()).filter(({ protocol }) => protocol !== peerProtocol),
    bridges: [...networks.keys()].flatMap((id) => bridgeOf(context, id) ?? []),
  };
  context.hostView = view;
  return view;
}

/** Finds a known peer's path anew. Answers whether it changed; tells of what begins or ends to be wrong. */
export function settle(context: PeerPlacesDependencies, peer: Peer, host: HostView): boolean {
  const { path, problem } = peer;
  try {
    context.peers.claim(peer);
    try {
      checkPlace(peer.record, host, 'known');
    } catch (error) {
      context.peers.disclaim(peer);
      throw error;
    }
    peer.path = findPath(peer.record, host);
    peer.problem = undefined;
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    peer.path = undefined;
    peer.problem = error.message;
  }
  tell(context, peer, problem);
  return JSON.stringify(path) !== JSON.stringify(peer.path);
}

function tell({ logger }: PeerPlacesDependencies, { record, problem }: Peer, former: string | undefined): void {
  if (problem !== undefined && problem !== former)
    logger.warn('a peer cannot be reached', { peer: record.name, problem });
  if (problem === undefined && former !== undefined) logger.info('a peer is in place again', { peer: record.name });
}
