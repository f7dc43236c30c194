/**
 * Adds and removes peers on request. The queue `peers` serializes operations, so that the watcher never sees a partial
 * addition.
 */

import { type Clock, type KeyedQueue, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { PeerRequest, PeerState, PeerStore } from '../contract.ts';
import { checkPlacement } from '../host-view.ts';
import { checkPeerRequest } from '../parse.ts';
import { findPath } from '../path.ts';
import type { Peer, PeerTable } from '../table.ts';
import type { Tunnels } from '../tunnel.ts';
import { admitRefused, type ClusterPeersDependencies } from './cluster.ts';
import {
  applyTogether,
  flushPeerConntrack,
  type PeerObjectsDependencies,
  peersQueue,
  removePeerObjects,
} from './objects.ts';
import { type PeerPathsDependencies, viewHost } from './paths.ts';
import { type PeerStatesDependencies, stateOf } from './states.ts';
import { reconcileTunnel, type TunnelDependencies } from './tunnel.ts';

/** Dependencies of the functions in this file. */
export interface PeersDependencies
  extends ClusterPeersDependencies,
    PeerObjectsDependencies,
    PeerPathsDependencies,
    PeerStatesDependencies,
    TunnelDependencies {
  readonly kernel: Kernel;
  readonly store: PeerStore;
  readonly clock: Clock;
  readonly peers: PeerTable;
  tunnels: Tunnels;
  readonly queue: KeyedQueue;
}

export async function addPeer(context: PeersDependencies, request: PeerRequest): Promise<PeerState> {
  return context.queue.run(peersQueue, async () => {
    const peer = await checkNewPeer(context, request);
    const { record } = peer;
    context.store.putPeer(record);
    context.peers.add(peer);
    try {
      await reconcileTunnel(context, { strict: true });
      if (peer.problem !== undefined) throw new NetyardError('conflict', peer.problem);
      await applyTogether(context, [peer]);
    } catch (error) {
      context.peers.delete(record.name);
      context.store.deletePeer(record.name);
      await reconcileTunnel(context, { strict: false });
      throw error;
    }
    await flushPeerConntrack(context, [peer]);
    return stateOf(context, peer);
  });
}

/** Runs all checks before anything changes. */
async function checkNewPeer(context: PeersDependencies, request: PeerRequest): Promise<Peer> {
  const checked = checkPeerRequest(request);
  context.peers.check(checked);
  const host = await viewHost(context, { fresh: true });
  const path = findPath(checked, host);
  checkPlacement(checked, host, 'new');
  return { record: { ...checked, created: context.clock.now() }, origin: 'request', path };
}

export async function removePeer(context: PeersDependencies, name: string): Promise<void> {
  await context.queue.run(peersQueue, async () => {
    const peer = removablePeer(context, name);
    context.peers.delete(name);
    try {
      await removePeerObjects(context, [peer]);
      await reconcileTunnel(context, { strict: true });
    } catch (error) {
      context.peers.add(peer);
      throw error;
    }
    context.store.deletePeer(name);
    await flushPeerConntrack(context, [peer]);
    await admitRefused(context);
  });
}

const otherOrigins = {
  config: { where: "is in the daemon's configuration", hint: 'remove it there and restart the daemon' },
  cluster: { where: 'is a host of the cluster', hint: 'run `netyard cluster leave` on that host' },
} as const;

function removablePeer(context: PeersDependencies, name: string): Peer {
  const peer = peerOf(context, name);
  if (peer.record.network !== undefined)
    throw new NetyardError('conflict', `peer ${name} is a part of network ${peer.record.network} of the cluster`, {
      hint: `run \`netyard network rm ${peer.record.network}\` to remove the network from all hosts`,
    });
  if (peer.origin === 'request') return peer;
  const { where, hint } = otherOrigins[peer.origin];
  throw new NetyardError('conflict', `peer ${name} ${where}`, { hint });
}

/** Throws `not-found`: `peer X not found`. */
export function peerOf(context: PeersDependencies, name: string): Peer {
  const peer = context.peers.get(name);
  if (peer) return peer;
  throw new NetyardError('not-found', `peer ${name} not found`);
}
