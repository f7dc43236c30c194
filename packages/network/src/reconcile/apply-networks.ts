/** Applies networks as they are recorded. A user-defined network that cannot be applied does not affect the others. */
import { type Logger, messageOf } from '@netyard/core';
import type { Kernel, KernelObject, KernelOperation } from '@netyard/kernel';
import { type PlanNetworksDependencies, planNetworks } from './plan-networks.ts';

/** Dependencies of the functions in this file. */
export interface ApplyNetworksDependencies extends PlanNetworksDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
}

/**
 * Throws for the predefined networks; failures of others are logged. Returns the operations.
 * @param isIncluded selects the objects to apply
 */
export async function applyNetworks(
  context: ApplyNetworksDependencies,
  networkIds: readonly string[],
  isIncluded: (object: KernelObject) => boolean = () => true,
): Promise<KernelOperation[]> {
  const apply = async (ids: readonly string[]): Promise<KernelOperation[]> => {
    const objects = planNetworks(context, ids).filter(isIncluded);
    return (await context.kernel.apply({ owner: 'networks', objects })).operations;
  };
  const isPredefined = (id: string): boolean => context.networks.get(id)?.predefined === true;
  if (networkIds.every(isPredefined)) return apply(networkIds);
  try {
    return await apply(networkIds);
  } catch {
    const operations = await apply(networkIds.filter(isPredefined));
    for (const id of networkIds.filter((one) => !isPredefined(one))) {
      try {
        operations.push(...(await apply([id])));
      } catch (error) {
        const network = context.networks.get(id)?.name;
        context.logger.error('a network could not be applied', { network, error: messageOf(error) });
      }
    }
    return operations;
  }
}
