/** Lists the elements of Netyard's own nftables sets. */

import { KernelError } from '@netyard/core';
import type { Kernel, ObservedElement } from '@netyard/kernel';
import { familyOf, type NetyardSet, tableName } from '../firewall/table.ts';

/** Returns [] when the table does not exist. */
export async function listElements(
  kernel: Pick<Kernel, 'listNftElements'>,
  set: NetyardSet,
): Promise<ObservedElement[]> {
  try {
    return await kernel.listNftElements({ family: familyOf(set), table: tableName, set });
  } catch (error) {
    if (error instanceof KernelError && error.errnoName === 'ENOENT') return [];
    throw error;
  }
}
