/** The plan of one peer, for `explain`. */
import { NetyardError } from '@netyard/core';
import type { KernelPlan } from '@netyard/kernel';
import { planPeer } from '../plan.ts';
import type { Peer } from '../table.ts';
import { planTunnelOf, type TunnelDependencies } from './tunnel.ts';

/** A peer's routes, and the tunnel if the peer may use it. They depend on the default bridge and the table, see `explain bridge`. */
export function explainPeer(
  context: Pick<TunnelDependencies, 'tunnel' | 'host'>,
  { record, path, problem }: Peer,
): KernelPlan {
  const { name, address, subnets, via } = record;
  if (!path) throw new NetyardError('conflict', `peer ${name} has no path: ${problem ?? 'not determined yet'}`);
  const owner = `peer ${name}: ${subnets.join(', ')} behind ${address}; depends on the network ${record.network ?? 'bridge'}`;
  return { owner, objects: [...(via === 'route' ? [] : planTunnelOf(context)), ...planPeer(record, path)] };
}
