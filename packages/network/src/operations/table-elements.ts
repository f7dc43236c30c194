/** Lists the elements of Netyard's own nftables sets. */

import { type Kernel, listElementsIfAny, type ObservedElement } from '@netyard/kernel';
import { familyOf, type NetyardSet, tableName } from '../firewall/table.ts';

/** Returns [] when the table does not exist. */
export const listElements = (kernel: Pick<Kernel, 'listNftElements'>, set: NetyardSet): Promise<ObservedElement[]> =>
  listElementsIfAny(kernel, { family: familyOf(set), table: tableName, set });
