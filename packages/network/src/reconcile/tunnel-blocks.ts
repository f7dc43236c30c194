/** Reads the chains of other programs that packets of tunnels to peers traverse. Those of iptables-legacy are not read. */
import type { Kernel } from '@netyard/kernel';
import type { KnownPeer } from '@netyard/peers';
import { foreignBases } from '../firewall/foreign.ts';
import { findTunnelBlocks, type TunnelBlock, type TunnelPackets } from '../firewall/tunnel-blocks.ts';
import { readReachedChains } from './forward-chains.ts';

/** What drops packets of the tunnels to these peers; undefined when none is reached through a tunnel. */
export async function findBlockedTunnels(
  kernel: Pick<Kernel, 'listNftBaseChains' | 'listNftChain'>,
  peers: Iterable<Pick<KnownPeer, 'record' | 'path'>>,
): Promise<TunnelBlock[] | undefined> {
  const tunnels = tunnelsOf(peers);
  if (tunnels.length === 0) return undefined;
  const found = new Map<string, TunnelBlock>();
  for (const packets of tunnels) {
    const all = await kernel.listNftBaseChains('input', ['inet', packets.family]);
    const bases = foreignBases({ bases: all });
    const reached = await readReachedChains(kernel, bases, undefined);
    for (const block of findTunnelBlocks(bases, reached, packets)) found.set(block.chain, block);
  }
  return [...found.values()];
}

function tunnelsOf(peers: Iterable<Pick<KnownPeer, 'record' | 'path'>>): TunnelPackets[] {
  const uplinks = { ip: new Set<string>(), ip6: new Set<string>() };
  for (const { record, path } of peers)
    if (path?.kind === 'vxlan') uplinks[record.address.includes(':') ? 'ip6' : 'ip'].add(path.uplink);
  return (['ip', 'ip6'] as const).flatMap((family) =>
    uplinks[family].size === 0 ? [] : [{ family, uplinks: [...uplinks[family]] }],
  );
}
