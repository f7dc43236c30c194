/** Lists the elements of Netyard's own nftables sets. */

import { KernelError } from '@netyard/core';
import type { Kernel, ObservedElement } from '@netyard/kernel';
import { formerSets, type NetyardSet, type TableFamily, tableName } from '../firewall/table.ts';

/**
 * Reads the set under its former name in a table that the daemon of the version before created. Returns [] when the
 * table does not exist.
 */
export async function listElements(
  kernel: Pick<Kernel, 'listNftElements'>,
  set: NetyardSet,
  family: TableFamily,
): Promise<ObservedElement[]> {
  const former = new Map<string, string>(Object.entries(formerSets)).get(set);
  for (const name of former === undefined || family === 'ip6' ? [set] : [set, former]) {
    try {
      return await kernel.listNftElements({ family, table: tableName, set: name });
    } catch (error) {
      if (!(error instanceof KernelError) || error.errnoName !== 'ENOENT') throw error;
    }
  }
  return [];
}
