/**
 * Determines the paths to peers from the host's current interfaces, addresses and routes. The dumps are cached until the
 * kernel reports a change, so that adding one peer among many needs no dump.
 */

import { isNetyardError, type Logger } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { OwnHost } from '../contract.ts';
import { checkPlacement, type HostView } from '../host-view.ts';
import { findPath } from '../path.ts';
import { peerProtocol } from '../plan.ts';
import type { Peer, PeerTable } from '../table.ts';

/** Dependencies of the functions in this file. */
export interface PeerPathsDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly host: OwnHost;
  readonly peers: PeerTable;
  /** Cached dump of the host's interfaces, addresses and routes; dropped when they may have changed. */
  hostView: HostView | undefined;
}

/** With `fresh`, the cache is ignored. */
export async function viewHost(context: PeerPathsDependencies, options: { fresh: boolean }): Promise<HostView> {
  const { kernel, host, hostView: known } = context;
  const bridges = host.networks();
  // Routes of a bridge that was removed meanwhile would count as another program's.
  if (known !== undefined && known.bridges === bridges && !options.fresh) return known;
  const view: HostView = {
    links: await kernel.listLinks(),
    addresses: await kernel.listAddresses(),
    routes: (await kernel.listRoutes()).filter(({ protocol }) => protocol !== peerProtocol),
    bridges,
  };
  context.hostView = view;
  return view;
}

/** Determines a known peer's path again. Returns whether it changed; logs when a problem begins or ends. */
export function updatePath(context: PeerPathsDependencies, peer: Peer, host: HostView): boolean {
  const { path, problem } = peer;
  try {
    context.peers.claim(peer);
    try {
      checkPlacement(peer.record, host, 'known');
    } catch (error) {
      context.peers.releaseClaim(peer);
      throw error;
    }
    peer.path = findPath(peer.record, host);
    peer.problem = undefined;
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    peer.path = undefined;
    peer.problem = error.message;
  }
  if (!isOfHost(context, peer)) logProblem(context, peer, problem);
  return JSON.stringify(path) !== JSON.stringify(peer.path);
}

/** A part of a network has the problems of its host, which is logged. */
const isOfHost = ({ peers }: PeerPathsDependencies, { record, problem }: Peer): boolean =>
  record.network !== undefined && peers.findByAddress(record.address)?.problem === problem;

function logProblem({ logger }: PeerPathsDependencies, { record, problem }: Peer, former: string | undefined): void {
  if (problem !== undefined && problem !== former)
    logger.warn('a peer cannot be reached', { peer: record.name, problem });
  if (problem === undefined && former !== undefined) logger.info('a peer is reachable again', { peer: record.name });
}
