/** Reconciles the tables of `--tunnel-firewall=false`. Without them packets pass the firewall, so a failure is only logged. */
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelOperation, NftTableObject } from '@netyard/kernel';
import { anyBypass, planBypass } from '../bypass.ts';
import type { OwnHost } from '../contract.ts';
import type { PeerTable } from '../table.ts';
import type { Tunnels } from '../tunnel.ts';

/** Dependencies of the functions in this file. */
export interface BypassDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly peers: PeerTable;
  readonly host: OwnHost;
  readonly tunnels: Tunnels;
  /** The tables as last applied. */
  bypass: readonly NftTableObject[];
}

/** To be called when the tunnels are as the peers require. Keeps the tables of a former process until the peers are known. */
export async function reconcileBypass(context: BypassDependencies): Promise<KernelOperation[]> {
  const { kernel, logger, host, peers, tunnels } = context;
  if (host.openTunnel && !tunnels.v4 && peers.awaitsCluster) return [];
  try {
    context.bypass = await planCurrent(context);
    const report =
      context.bypass.length > 0
        ? await kernel.apply({ owner: 'tunnel', objects: context.bypass })
        : await kernel.remove({ owner: 'tunnel', objects: anyBypass() });
    return [...report.operations];
  } catch (error) {
    const effect = 'packets of the tunnel pass the firewall in spite of --tunnel-firewall=false';
    logger.warn(effect, { error: messageOf(error) });
    return [];
  }
}

async function planCurrent({ kernel, host, peers, tunnels }: BypassDependencies): Promise<NftTableObject[]> {
  if (!host.openTunnel || !tunnels.v4) return [];
  const indexes = new Map((await kernel.listLinks()).map(({ name, index }) => [name, index]));
  return planBypass({ networks: host.networks(), peers: peers.values(), indexes });
}
