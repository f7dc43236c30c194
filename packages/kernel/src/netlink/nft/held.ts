/**
 * nftables tables that belong to one netlink socket (flag `owner`, Linux 5.12): other programs can neither change nor
 * delete them, `nft flush ruleset` passes them over, and with the socket, so also with the process, the kernel takes
 * them away.
 */
import type { NftTableObject } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { NftContext } from './context.ts';
import { printReplacement, printTable, tableWords } from './table.ts';

/** As `Kernel.holdTables`. Throws KernelError, EPERM when another process holds one of them. */
export function holdTables(tables: readonly NftTableObject[]): { close(): void } {
  const context = NftContext.open();
  try {
    const commands = tables.map((table) => printReplacement(table, printTable(owned(table)))).join('');
    context.run(commands, { operation: 'nft add table', object: tables.map(tableWords).join(', ') });
  } catch (error) {
    context.close();
    throw error;
  }
  let isOpen = true;
  return {
    close() {
      if (isOpen) context.close();
      isOpen = false;
    },
  };
}

/** Tried in a namespace of its own. */
export function canHoldTables(): boolean {
  const context = NftContext.openScratch();
  try {
    const table: NftTableObject = { kind: 'nft-table', family: 'ip', name: 'held', body: '' };
    context.run(printTable(owned(table)), { operation: 'nft add table', object: tableWords(table) });
    return true;
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'EOPNOTSUPP')) return false; // an older kernel, or an older nft that cannot say it
    throw error;
  } finally {
    context.close();
  }
}

const owned = (table: NftTableObject): NftTableObject => ({ ...table, body: `\tflags owner\n${table.body}` });
