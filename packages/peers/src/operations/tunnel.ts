/**
 * Reconciles the VXLAN tunnel interface: it exists while any peer is or may be reached through it, with a local address
 * of this host and an MTU that fits the uplink. The MTU of container interfaces is limited to that of the tunnel.
 */

import { type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelObject, KernelOperation } from '@netyard/kernel';
import type { OwnHost } from '../contract.ts';
import { hasIpv6 } from '../plan.ts';
import type { Peer, PeerTable } from '../table.ts';
import { planTunnel, type Tunnel, tunnelLink, tunnelOverhead } from '../tunnel.ts';

/** Dependencies of the functions in this file. */
export interface TunnelDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly peers: PeerTable;
  readonly host: OwnHost;
  /** The tunnel as last applied; tunnelIndex is the ifindex of its interface. */
  tunnel: Tunnel | undefined;
  tunnelIndex: number | undefined;
  /** See `Peers.mtuLimit`. */
  mtuLimit: number | undefined;
}

/**
 * Determines the tunnel for these peers; undefined when none needs it. It has a single local address: the one by which
 * most of the peers reached through it know this host; on a tie, the current one.
 */
export function chooseTunnel(peers: Iterable<Peer>, current: Tunnel | undefined): Tunnel | undefined {
  const locals = new Map<string, number>();
  let used = Number.POSITIVE_INFINITY;
  let ready = Number.POSITIVE_INFINITY;
  let ipv6 = false;
  for (const { record, path } of peers) {
    if (!path || record.via === 'route') continue;
    if (record.network !== undefined && !hasIpv6(record)) continue; // it has the path of its host's peer
    ipv6 ||= hasIpv6(record);
    const weight = path.kind === 'vxlan' ? 1 : 0;
    locals.set(path.local, (locals.get(path.local) ?? (path.local === current?.local ? 0.5 : 0)) + weight);
    if (path.kind === 'vxlan') used = Math.min(used, path.mtu);
    else ready = Math.min(ready, path.mtu - tunnelOverhead);
  }
  const [first] = [...locals].sort(([, a], [, b]) => b - a);
  if (!first) return undefined;
  const inUse = used !== Number.POSITIVE_INFINITY;
  return { local: first[0], mtu: inUse ? used : ready, inUse, ipv6 };
}

/**
 * Creates, changes or deletes the interface as the current peers require. On failure, peers that are reached through it
 * lose their path. Throws only with `strict`.
 */
export async function reconcileTunnel(
  context: TunnelDependencies,
  options: { strict: boolean },
): Promise<KernelOperation[]> {
  const { kernel, peers } = context;
  const desired = chooseTunnel(peers.values(), context.tunnel);
  if (!desired && peers.awaitsCluster) return [];
  const before = context.tunnel;
  context.tunnel = desired;
  const operations: KernelOperation[] = [];
  try {
    if (desired)
      operations.push(...(await kernel.apply({ owner: 'tunnel', objects: planTunnelOf(context) })).operations);
    else operations.push(...(await kernel.remove({ owner: 'tunnel', objects: [deviceOnly] })).operations);
  } catch (error) {
    context.tunnel = before;
    if (options.strict) throw error;
    clearTunnelPaths(context, messageOf(error));
    return operations;
  }
  if (operations.length > 0) context.tunnelIndex = await findIndex(context);
  return [...operations, ...(await updateMtu(context))];
}

const deviceOnly: KernelObject = { kind: 'vxlan', name: tunnelLink, id: 0, port: 1, owner: '', up: false };

/** After a restart of the daemon: keeps the MTU limit in force until the peers are known. */
export async function adoptTunnel(context: TunnelDependencies): Promise<void> {
  const links = await context.kernel.listLinks();
  const tunnel = links.find(({ name, kind }) => name === tunnelLink && kind === 'vxlan');
  if (!tunnel) return;
  context.tunnelIndex = tunnel.index;
  const bridges = context.host.networks().map(({ link }) => link);
  const isLimited = links.some(({ name, mtu }) => bridges.includes(name) && mtu === tunnel.mtu);
  const isExpected = context.peers.size > 0 || context.peers.awaitsCluster;
  if (isExpected && isLimited) context.mtuLimit = tunnel.mtu;
}

/** The desired objects of the tunnel. */
export const planTunnelOf = ({ tunnel, host }: Pick<TunnelDependencies, 'tunnel' | 'host'>): KernelObject[] =>
  tunnel ? planTunnel(tunnel, { ipv6: host.hasIpv6() }) : [];

async function findIndex({ kernel }: TunnelDependencies): Promise<number | undefined> {
  return (await kernel.listLinks()).find(({ name }) => name === tunnelLink)?.index;
}

function clearTunnelPaths(context: TunnelDependencies, reason: string): void {
  context.logger.error('the tunnel to peers could not be created', { link: tunnelLink, error: reason });
  for (const peer of context.peers.values()) {
    if (peer.path?.kind !== 'vxlan') continue;
    peer.path = undefined;
    peer.problem = `the tunnel ${tunnelLink} could not be created: ${reason}`;
  }
}

/** Limits the MTU of all containers, including running ones, while the tunnel is in use; else restores it. */
async function updateMtu(context: TunnelDependencies): Promise<KernelOperation[]> {
  const limit = context.tunnel?.inUse ? context.tunnel.mtu : undefined;
  const isUnknown = limit === undefined && context.peers.awaitsCluster;
  if (limit === context.mtuLimit || isUnknown) return [];
  context.mtuLimit = limit;
  context.logger.info('the MTU of containers changes', { limit: limit ?? 'none' });
  return await context.host.mtuChanged({ kernel: context.kernel, logger: context.logger, mtuLimit: limit });
}
