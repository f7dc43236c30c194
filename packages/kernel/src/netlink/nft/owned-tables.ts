/**
 * nftables tables that belong to one netlink socket (flag `owner`, Linux 5.12): other programs can neither change nor
 * delete them, and `nft flush ruleset` skips them. The kernel deletes them when the socket is closed, so also when the
 * process ends.
 */
import type { NftTableObject } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { NftContext } from './context.ts';
import { printReplacement, printTable, tableSpec } from './table.ts';

/** See `Kernel.holdTables`. Throws KernelError, EPERM when another process owns one of the tables. */
export function holdTables(tables: readonly NftTableObject[]): { close(): void } {
  const context = NftContext.open();
  try {
    const commands = tables.map((table) => printReplacement(table, printTable(owned(table)))).join('');
    context.run(commands, { operation: 'nft add table', object: tables.map(tableSpec).join(', ') });
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

/** Tests the kernel's support in a new namespace. */
export function canHoldTables(): boolean {
  const context = NftContext.openScratch();
  try {
    const table: NftTableObject = { kind: 'nft-table', family: 'ip', name: 'held', body: '' };
    context.run(printTable(owned(table)), { operation: 'nft add table', object: tableSpec(table) });
    return true;
  } catch (error) {
    if (hasErrno(error, 'EINVAL', 'EOPNOTSUPP')) return false; // a kernel or an nft without support for owners
    throw error;
  } finally {
    context.close();
  }
}

const owned = (table: NftTableObject): NftTableObject => ({ ...table, body: `\tflags owner\n${table.body}` });
