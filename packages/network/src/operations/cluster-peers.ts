/**
 * Peers that the cluster announces: what comes and goes is made and taken away, the others are not looked at. Nobody is
 * believed: who announces what it may not is refused alone, told of, and tried again when something has changed.
 */

import type { Clock, KeyedQueue, Logger } from '@netyard/core';
import { isNetyardError } from '@netyard/core';
import type { KernelOperation } from '@netyard/kernel';
import type { NetworkEvent, NetworkRecord, PeerRecord, PeerRequest, RefusedPeer } from '../contract.ts';
import { checkPlace, type HostView } from '../peers/host-view.ts';
import { checkPeerRequest } from '../peers/parse.ts';
import type { Peer, PeerTable, RefusedRecord } from '../peers/table.ts';
import type { PeerObjectsDependencies } from './peer-objects.ts';
import { applyPeers, forgetConnections, peersQueue, planOf, removePeerObjects, removeStrays } from './peer-objects.ts';
import type { PeerPlacesDependencies } from './peer-paths.ts';
import { settle, viewHost } from './peer-paths.ts';
import type { TunnelDependencies } from './tunnel.ts';
import { reconcileTunnel } from './tunnel.ts';

/** What the functions of this file work on. */
export interface ClusterPeersDependencies extends PeerObjectsDependencies, PeerPlacesDependencies, TunnelDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly networks: Map<string, NetworkRecord>;
  readonly peers: PeerTable;
  readonly queue: KeyedQueue;
  emit(event: Omit<NetworkEvent, 'type'>): void;
}

/** One peer with more has a plan of its own. */
const objectsInOnePlan = 100;

/** See `Networks.setClusterPeers`. */
export async function setClusterPeers(
  context: ClusterPeersDependencies,
  requests: readonly PeerRequest[],
): Promise<RefusedPeer[]> {
  return context.queue.run(peersQueue, async () => {
    const { peers } = context;
    const isFirst = peers.awaitsCluster;
    const wanted = new Map(requests.map((request) => [request.name, request]));
    const leaving = [...peers.values()].filter(
      ({ origin, record }) => origin === 'cluster' && !isSame(record, wanted.get(record.name)),
    );
    for (const { record } of leaving) peers.delete(record.name);
    const former = new Map(peers.refused);
    peers.refused.clear();
    const host = await viewHost(context, { fresh: isFirst });
    const joining = requests.flatMap((request) => admit(context, request, host) ?? []);
    peers.awaitsCluster = false;
    if (isFirst) await removeStrays(context);
    else await removePeerObjects(context, leaving);
    await reconcileTunnel(context, { strict: false });
    if (isFirst) await applyPeers(context, joining);
    else await applyNewcomers(context, joining);
    await forgetConnections(context, isFirst ? [] : [...leaving, ...joining]);
    reportRefusals(context, former);
    return [...peers.refused.values()].map(({ record, problem }) => ({ name: record.name, problem }));
  });
}

/**
 * Nothing of them is there, and it need not be looked for: with more elements in one plan than these the kernel box would
 * read the whole sets first, each time that some more come to many.
 */
async function applyNewcomers(context: ClusterPeersDependencies, joining: readonly Peer[]): Promise<void> {
  let part: Peer[] = [];
  let size = 0;
  for (const peer of joining) {
    const objects = planOf(peer).length;
    if (size > 0 && size + objects > objectsInOnePlan) {
      await applyPeers(context, part);
      [part, size] = [[], 0];
    }
    part.push(peer);
    size += objects;
  }
  await applyPeers(context, part);
}

/** Those refused before whose way is free now. */
export async function admitRefused(context: ClusterPeersDependencies): Promise<KernelOperation[]> {
  const { refused } = context.peers;
  if (refused.size === 0) return [];
  const former = new Map(refused);
  refused.clear();
  const host = await viewHost(context, { fresh: false });
  const joining = [...former.values()].flatMap(({ record }) => admit(context, record, host) ?? []);
  const tunnel = joining.length === 0 ? [] : await reconcileTunnel(context, { strict: false });
  const operations = [...tunnel, ...(await applyPeers(context, joining))];
  await forgetConnections(context, joining);
  reportRefusals(context, former);
  return operations;
}

/** The peer that is new, or nothing: known already, or refused, which is written down. */
function admit(context: ClusterPeersDependencies, request: PeerRequest, host: HostView): Peer | undefined {
  const { peers } = context;
  const known = peers.get(request.name);
  if (known?.origin === 'cluster' && isSame(known.record, request)) return undefined;
  const created = context.clock.now();
  try {
    const checked = checkPeerRequest(request);
    checkPlace(checked, host, 'new');
    const peer: Peer = { record: { ...checked, created }, origin: 'cluster' };
    peers.add(peer);
    settle(context, peer, host);
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
    record.subnets.length === request.subnets.length &&
    record.subnets.every((subnet, index) => subnet === request.subnets[index])
  );
}

/** Once for each refusal and each new reason. */
function reportRefusals(context: ClusterPeersDependencies, former: ReadonlyMap<string, RefusedRecord>): void {
  const bridge = [...context.networks.values()].find((record) => record.driver === 'bridge');
  for (const [name, { record, problem }] of context.peers.refused) {
    if (former.get(name)?.problem === problem) continue;
    const { address, subnets } = record;
    context.logger.warn('a host of the cluster is refused', { peer: name, address, subnets, problem });
    if (!bridge) continue;
    const { id: networkId, name: networkName, driver } = bridge;
    context.emit({ action: 'refuse', networkId, networkName, driver, detail: `peer ${name}: ${problem}` });
  }
}
