/**
 * Peers written down by a request: added and removed. One piece of work at a time (queue `peers`), so that the watcher
 * never meets an add half-way.
 */

import type { Clock, KeyedQueue } from '@netyard/core';
import { NetyardError } from '@netyard/core';
import type { Kernel, KernelOperation } from '@netyard/kernel';
import type { NetworkStore, PeerRequest, PeerState } from '../contract.ts';
import { checkPlace } from '../peers/host-view.ts';
import { checkPeerRequest } from '../peers/parse.ts';
import { findPath } from '../peers/path.ts';
import type { Peer, PeerTable } from '../peers/table.ts';
import type { Tunnel } from '../tunnel.ts';
import type { ClusterPeersDependencies } from './cluster-peers.ts';
import { admitRefused } from './cluster-peers.ts';
import type { PeerObjectsDependencies } from './peer-objects.ts';
import { applyTogether, forgetConnections, peersQueue, planOf, removePeerObjects } from './peer-objects.ts';
import type { PeerPlacesDependencies } from './peer-paths.ts';
import { viewHost } from './peer-paths.ts';
import type { PeerStatesDependencies } from './peer-states.ts';
import { stateOf } from './peer-states.ts';
import type { TunnelDependencies } from './tunnel.ts';
import { chooseTunnel, planTunnelOf, reconcileTunnel } from './tunnel.ts';

/** What the functions of this file work on. */
export interface PeersDependencies
  extends ClusterPeersDependencies,
    PeerObjectsDependencies,
    PeerPlacesDependencies,
    PeerStatesDependencies,
    TunnelDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly clock: Clock;
  readonly peers: PeerTable;
  tunnel: Tunnel | undefined;
  readonly queue: KeyedQueue;
}

export async function addPeer(context: PeersDependencies, request: PeerRequest): Promise<PeerState> {
  return context.queue.run(peersQueue, async () => {
    const peer = await place(context, request);
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
    await forgetConnections(context, [peer]);
    return stateOf(context, peer);
  });
}

/** What `addPeer` would do; throws what it would throw. */
export async function planAddPeer(context: PeersDependencies, request: PeerRequest): Promise<KernelOperation[]> {
  const peer = await place(context, request);
  const tunnel = chooseTunnel([...context.peers.values(), peer], context.tunnel);
  const objects = [...planTunnelOf({ ...context, tunnel }), ...planOf(peer)];
  const plan = { owner: `peer ${peer.record.name}`, objects };
  return (await context.kernel.apply(plan, { dryRun: true })).operations;
}

/** All checks, before anything is touched. */
async function place(context: PeersDependencies, request: PeerRequest): Promise<Peer> {
  const wanted = checkPeerRequest(request);
  context.peers.check(wanted);
  const host = await viewHost(context, { fresh: true });
  const path = findPath(wanted, host);
  checkPlace(wanted, host, 'new');
  return { record: { ...wanted, created: context.clock.now() }, origin: 'request', path };
}

export async function removePeer(context: PeersDependencies, name: string): Promise<void> {
  await context.queue.run(peersQueue, async () => {
    const peer = removable(context, name);
    context.peers.delete(name);
    try {
      await removePeerObjects(context, [peer]);
      await reconcileTunnel(context, { strict: true });
    } catch (error) {
      context.peers.add(peer);
      throw error;
    }
    context.store.deletePeer(name);
    await forgetConnections(context, [peer]);
    await admitRefused(context);
  });
}

export async function planRemovePeer(context: PeersDependencies, name: string): Promise<KernelOperation[]> {
  const peer = removable(context, name);
  const others = [...context.peers.values()].filter((other) => other !== peer);
  const tunnel = chooseTunnel(others, context.tunnel) ? [] : planTunnelOf(context);
  const plan = { owner: `peer ${name}`, objects: [...tunnel, ...planOf(peer)] };
  return (await context.kernel.remove(plan, { dryRun: true })).operations;
}

const elsewhere = {
  config: { where: "stands in the daemon's configuration", hint: 'take it out there and start the daemon again' },
  cluster: { where: 'is a host of the cluster', hint: 'it goes when that host leaves: netyard cluster leave, there' },
} as const;

function removable(context: PeersDependencies, name: string): Peer {
  const peer = peerOf(context, name);
  if (peer.origin === 'request') return peer;
  const { where, hint } = elsewhere[peer.origin];
  throw new NetyardError('conflict', `peer ${name} ${where}`, { hint });
}

/** Throws `not-found`: `peer X not found`. */
export function peerOf(context: PeersDependencies, name: string): Peer {
  const peer = context.peers.get(name);
  if (peer) return peer;
  throw new NetyardError('not-found', `peer ${name} not found`);
}
