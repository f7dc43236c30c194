/** Applies a changed limit of the MTU (see `Peers.mtuLimit`) to bridges and to what is attached to them. */
import type { KernelOperation } from '@netyard/kernel';
import type { MtuChange } from '@netyard/peers';
import type { Attachments } from '../attachments.ts';
import { type PlanNetworksDependencies, planNetworks } from './plan-networks.ts';

/** Dependencies of the functions in this file. */
export interface MtuDependencies extends PlanNetworksDependencies, MtuChange {
  readonly attachments: Attachments;
}

export async function applyMtu(context: MtuDependencies): Promise<KernelOperation[]> {
  const planned = planNetworks(context, [...context.networks.keys()]);
  const bridges = planned.filter(({ kind }) => kind === 'bridge' || kind === 'veth');
  const { kernel, logger, mtuLimit } = context;
  const { operations } = await kernel.apply({ owner: 'networks', objects: bridges });
  await context.attachments.applyMtu({ kernel, logger, mtuLimit });
  return operations;
}
