/** The plan of one peer, for `explain`. */
import { NetyardError } from '@netyard/core';
import type { KernelPlan } from '@netyard/kernel';
import { outerFamilyOf } from '../outer-family.ts';
import { hasIpv6, planTunnelEntries } from '../plan.ts';
import type { Peer } from '../table.ts';
import { ipv4TunnelLink } from '../tunnel.ts';
import { planOf } from './objects.ts';
import { planTunnelsOf, type TunnelDependencies } from './tunnel.ts';

/** A peer's routes, and the tunnel if the peer may use it. They depend on the default bridge and the table, see `explain bridge`. */
export function explainPeer(
  context: Pick<TunnelDependencies, 'tunnels' | 'bypass' | 'host' | 'peers'>,
  peer: Peer,
): KernelPlan {
  const { record, path, problem } = peer;
  const { name, address, subnets, via, network } = record;
  if (!path) throw new NetyardError('conflict', `peer ${name} has no path: ${problem ?? 'not determined yet'}`);
  const owner = `peer ${name}: ${subnets.join(', ')} behind ${address}; depends on the network ${network ?? 'bridge'}`;
  const ofHost =
    network !== undefined && path.kind === 'vxlan' ? planTunnelEntries(address, { ipv6: hasIpv6(record) }) : [];
  const bypass = path.link === ipv4TunnelLink && network === undefined ? context.bypass : [];
  const tunnel = via === 'route' ? [] : [...planTunnelsOf(context, [outerFamilyOf(address)]), ...bypass, ...ofHost];
  return { owner, objects: [...tunnel, ...planOf(context, peer)] };
}
