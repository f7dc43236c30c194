import { KernelError } from '@netyard/core';
import type { Kernel, ObservedElement } from '../contract.ts';

/** The elements of a set; [] when its table or the set itself does not exist. */
export async function listElementsIfAny(
  kernel: Pick<Kernel, 'listNftElements'>,
  set: Parameters<Kernel['listNftElements']>[0],
): Promise<ObservedElement[]> {
  try {
    return await kernel.listNftElements(set);
  } catch (error) {
    if (error instanceof KernelError && error.errnoName === 'ENOENT') return [];
    throw error;
  }
}
