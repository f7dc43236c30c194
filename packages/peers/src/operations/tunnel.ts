/**
 * Reconciles the VXLAN interfaces: one exists for each address family while any peer with such an address is or may be
 * reached through it, with a local address of this host and an MTU that fits the uplink. The MTU of container interfaces
 * is limited to the smallest one in use.
 */

import { messageOf } from '@netyard/core';
import type { KernelObject, KernelOperation } from '@netyard/kernel';
import { type OuterFamily, outerFamilies, outerFamilyOf } from '../outer-family.ts';
import { hasIpv6, needsIpv6Gateway } from '../plan.ts';
import type { Peer } from '../table.ts';
import {
  isTunnelLink,
  planTunnel,
  planTunnelRemoval,
  type Tunnel,
  type Tunnels,
  tunnelLinks,
  tunnelOverheads,
} from '../tunnel.ts';
import { type BypassDependencies, reconcileBypass } from './bypass.ts';

/** Dependencies of the functions in this file. */
export interface TunnelDependencies extends BypassDependencies {
  /** The tunnels as last applied, and the ifindexes of their interfaces. */
  tunnels: Tunnels;
  tunnelIndexes: readonly number[];
  /** See `Peers.mtuLimit`. */
  mtuLimit: number | undefined;
}

/**
 * Determines the tunnel for those of the peers with an address of this family; undefined when none needs it. It has a
 * single local address: the one by which most of the peers reached through it know this host; on a tie, the current one.
 */
export function chooseTunnel(
  family: OuterFamily,
  peers: Iterable<Peer>,
  current: Tunnel | undefined,
): Tunnel | undefined {
  const locals = new Map<string, number>();
  let used = Number.POSITIVE_INFINITY;
  let ready = Number.POSITIVE_INFINITY;
  let ipv6 = false;
  for (const { record, path } of peers) {
    if (!path || record.via === 'route' || outerFamilyOf(record.address) !== family) continue;
    if (record.network !== undefined && !hasIpv6(record)) continue; // it has the path of its host's peer
    ipv6 ||= needsIpv6Gateway(record);
    const weight = path.kind === 'vxlan' ? 1 : 0;
    locals.set(path.local, (locals.get(path.local) ?? (path.local === current?.local ? 0.5 : 0)) + weight);
    if (path.kind === 'vxlan') used = Math.min(used, path.mtu);
    else ready = Math.min(ready, path.mtu - tunnelOverheads[family]);
  }
  const [first] = [...locals].sort(([, a], [, b]) => b - a);
  if (!first) return undefined;
  const inUse = used !== Number.POSITIVE_INFINITY;
  return { local: first[0], mtu: inUse ? used : ready, inUse, ipv6 };
}

/**
 * Creates, changes or deletes the interfaces as the current peers require. On failure, peers that are reached through one
 * lose their path. Throws only with `strict`.
 */
export async function reconcileTunnel(
  context: TunnelDependencies,
  options: { strict: boolean },
): Promise<KernelOperation[]> {
  const operations: KernelOperation[] = [];
  for (const family of outerFamilies) operations.push(...(await reconcileFamily(context, family, options)));
  if (operations.length > 0) context.tunnelIndexes = await findIndexes(context);
  return [...operations, ...(await reconcileBypass(context)), ...(await updateMtu(context))];
}

async function reconcileFamily(
  context: TunnelDependencies,
  family: OuterFamily,
  { strict }: { strict: boolean },
): Promise<KernelOperation[]> {
  const { kernel, peers, tunnels: before } = context;
  const desired = chooseTunnel(family, peers.values(), before[family]);
  if (!desired && peers.awaitsCluster) return [];
  context.tunnels = { ...before, [family]: desired };
  try {
    const planned = desired && planTunnel(desired, { ipv6: context.host.hasIpv6() });
    const report = planned
      ? await kernel.apply({ owner: 'tunnel', objects: planned })
      : await kernel.remove({ owner: 'tunnel', objects: planTunnelRemoval(family) });
    return [...report.operations];
  } catch (error) {
    context.tunnels = before;
    if (strict) throw error;
    clearTunnelPaths(context, family, messageOf(error));
    return [];
  }
}

/** After a restart of the daemon: keeps the MTU limit in force until the peers are known. */
export async function adoptTunnel(context: TunnelDependencies): Promise<void> {
  const links = await context.kernel.listLinks();
  const tunnels = links.filter(({ name, kind }) => isTunnelLink(name) && kind === 'vxlan');
  context.tunnelIndexes = tunnels.map(({ index }) => index);
  const bridges = context.host.networks().map(({ link }) => link);
  const limiting = tunnels.find((tunnel) =>
    links.some(({ name, mtu }) => bridges.includes(name) && mtu === tunnel.mtu),
  );
  const isExpected = context.peers.size > 0 || context.peers.awaitsCluster;
  if (isExpected && limiting) context.mtuLimit = limiting.mtu;
}

/** The desired objects of the tunnels; of one family, or of all. */
export function planTunnelsOf(
  { tunnels, host }: Pick<TunnelDependencies, 'tunnels' | 'host'>,
  families: readonly OuterFamily[] = outerFamilies,
): KernelObject[] {
  return families.flatMap((family) => {
    const tunnel = tunnels[family];
    return tunnel ? planTunnel(tunnel, { ipv6: host.hasIpv6() }) : [];
  });
}

async function findIndexes({ kernel }: TunnelDependencies): Promise<number[]> {
  return (await kernel.listLinks()).filter(({ name }) => isTunnelLink(name)).map(({ index }) => index);
}

function clearTunnelPaths(context: TunnelDependencies, family: OuterFamily, reason: string): void {
  const link = tunnelLinks[family];
  context.logger.error('the tunnel to peers could not be created', { link, error: reason });
  for (const peer of context.peers.values()) {
    if (peer.path?.kind !== 'vxlan' || peer.path.link !== link) continue;
    peer.path = undefined;
    peer.problem = `the tunnel ${link} could not be created: ${reason}`;
  }
}

/** Of the tunnels in use. */
function smallestMtu({ v4, v6 }: Tunnels): number | undefined {
  const used = [v4, v6].flatMap((tunnel) => (tunnel?.inUse ? [tunnel.mtu] : []));
  return used.length === 0 ? undefined : Math.min(...used);
}

/** Limits the MTU of all containers, including running ones, while a tunnel is in use; else restores it. */
async function updateMtu(context: TunnelDependencies): Promise<KernelOperation[]> {
  const limit = smallestMtu(context.tunnels);
  const isUnknown = limit === undefined && context.peers.awaitsCluster;
  if (limit === context.mtuLimit || isUnknown) return [];
  context.mtuLimit = limit;
  context.logger.info('the MTU of containers changes', { limit: limit ?? 'none' });
  return await context.host.mtuChanged({ kernel: context.kernel, logger: context.logger, mtuLimit: limit });
}
