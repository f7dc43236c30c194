/**
 * Peers announced by the cluster: adds and removes the difference, without touching unchanged peers. Announcements are
 * validated: a peer with a forbidden one is rejected on its own, reported, and tried again after a relevant change.
 */

import { type Clock, isNetyardError, type KeyedQueue, type Logger, NetyardError } from '@netyard/core';
import type { KernelOperation } from '@netyard/kernel';
import type { OwnHost, PeerRecord, PeerRequest, RefusedPeer } from '../contract.ts';
import { checkPlacement, type HostView } from '../host-view.ts';
import { checkPeerRequest } from '../parse.ts';
import type { Peer, PeerTable, RefusedRecord } from '../table.ts';
import {
  applyPeers,
  flushPeerConntrack,
  type PeerObjectsDependencies,
  peersQueue,
  planOf,
  removePeerObjects,
  removePeerOrphans,
} from './objects.ts';
import { type PeerPathsDependencies, updatePath, viewHost } from './paths.ts';
import { reconcileTunnel, type TunnelDependencies } from './tunnel.ts';

/** Dependencies of the functions in this file. */
export interface ClusterPeersDependencies extends PeerObjectsDependencies, PeerPathsDependencies, TunnelDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly host: OwnHost;
  readonly peers: PeerTable;
  readonly queue: KeyedQueue;
}

/** Limit for a plan of several peers; a single peer with more objects gets a plan of its own. */
const objectsInOnePlan = 100;

/** See `Peers.setClusterPeers`. */
export async function setClusterPeers(
  context: ClusterPeersDependencies,
  requests: readonly PeerRequest[],
): Promise<RefusedPeer[]> {
  return context.queue.run(peersQueue, async () => {
    const { peers } = context;
    const tunnelled = peers.withIpv6Parts();
    const isFirst = peers.awaitsCluster;
    const desired = new Map(requests.map((request) => [request.name, request]));
    const leaving = [...peers.values()].filter(
      ({ origin, record }) => origin === 'cluster' && !isSame(record, desired.get(record.name)),
    );
    for (const { record } of leaving) peers.delete(record.name);
    const former = new Map(peers.refused);
    peers.refused.clear();
    const host = await viewHost(context, { fresh: isFirst });
    const joining = requests.flatMap((request) => admit(context, request, host) ?? []);
    peers.awaitsCluster = false;
    if (isFirst) await removePeerOrphans(context);
    else await removePeerObjects(context, leaving);
    await reconcileTunnel(context, { strict: false });
    const others = changedTunnels(context, tunnelled, joining);
    if (isFirst) await applyPeers(context, [...joining, ...others]);
    else await applySmallPlans(context, [...joining, ...others]);
    await flushPeerConntrack(context, isFirst ? [] : [...leaving, ...joining]);
    reportRefusals(context, former);
    return [...peers.refused.values()].map(({ record, problem }) => ({ name: record.name, problem }));
  });
}

/**
 * Peers whose host has got its first part of a network with IPv6, or lost its last one: the tunnel's entries for them change.
 * @param before `withIpv6Parts` before the change
 */
function changedTunnels({ peers }: ClusterPeersDependencies, before: Set<Peer>, joining: readonly Peer[]): Peer[] {
  const after = peers.withIpv6Parts();
  const both = [...new Set([...before, ...after])];
  const isChanged = (peer: Peer): boolean => before.has(peer) !== after.has(peer);
  return both.filter((peer) => isChanged(peer) && !joining.includes(peer) && peers.get(peer.record.name) === peer);
}

/**
 * Plans are kept small because the kernel package dumps a whole set before it applies a plan with many of its elements,
 * which would happen at each join of a large cluster.
 */
async function applySmallPlans(context: ClusterPeersDependencies, joining: readonly Peer[]): Promise<void> {
  let part: Peer[] = [];
  let size = 0;
  for (const peer of joining) {
    const objects = planOf(context, peer).length;
    if (size > 0 && size + objects > objectsInOnePlan) {
      await applyPeers(context, part);
      [part, size] = [[], 0];
    }
    part.push(peer);
    size += objects;
  }
  await applyPeers(context, part);
}

/** Accepts formerly rejected peers whose conflict is gone. */
export async function admitRefused(context: ClusterPeersDependencies): Promise<KernelOperation[]> {
  const { refused } = context.peers;
  if (refused.size === 0) return [];
  const former = new Map(refused);
  refused.clear();
  const tunnelled = context.peers.withIpv6Parts();
  const host = await viewHost(context, { fresh: false });
  const joining = [...former.values()].flatMap(({ record }) => admit(context, record, host) ?? []);
  const tunnel = joining.length === 0 ? [] : await reconcileTunnel(context, { strict: false });
  const others = changedTunnels(context, tunnelled, joining);
  const operations = [...tunnel, ...(await applyPeers(context, [...joining, ...others]))];
  await flushPeerConntrack(context, joining);
  reportRefusals(context, former);
  return operations;
}

/** Returns a new peer; undefined when it is known already or is rejected, which is recorded. */
function admit(context: ClusterPeersDependencies, request: PeerRequest, host: HostView): Peer | undefined {
  const { peers } = context;
  const known = peers.get(request.name);
  if (known?.origin === 'cluster' && isSame(known.record, request)) return undefined;
  const created = context.clock.now();
  try {
    const checked = checkPeerRequest(request);
    if (checked.network !== undefined && !peers.findByAddress(checked.address))
      throw new NetyardError('conflict', `no peer has the address ${checked.address}`);
    checkPlacement(checked, host, 'new');
    const peer: Peer = { record: { ...checked, created }, origin: 'cluster' };
    peers.add(peer);
    updatePath(context, peer, host);
    return peer;
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    const record: PeerRecord = { ...request, subnets: [...request.subnets], via: request.via ?? 'auto', created };
    peers.refused.set(request.name, { record, problem: error.message });
    return undefined;
  }
}

function isSame(record: PeerRecord, request: PeerRequest | undefined): boolean {
  return (
    request !== undefined &&
    record.address === request.address &&
    record.via === (request.via ?? 'auto') &&
    record.network === request.network &&
    record.subnets.length === request.subnets.length &&
    record.subnets.every((subnet, index) => subnet === request.subnets[index])
  );
}

/** Reports each rejection once per reason. */
function reportRefusals(context: ClusterPeersDependencies, former: ReadonlyMap<string, RefusedRecord>): void {
  for (const [name, { record, problem }] of context.peers.refused) {
    if (former.get(name)?.problem === problem) continue;
    const { address, subnets } = record;
    context.logger.warn('a host of the cluster is refused', { peer: name, address, subnets, problem });
    context.host.refused(name, problem);
  }
}
