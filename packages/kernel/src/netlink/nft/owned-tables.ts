/**
 * nftables tables that belong to one netlink socket (flag `owner`, Linux 5.12): other programs can neither change nor
 * delete them, and `nft flush ruleset` skips them. The kernel deletes them when the socket is closed, so also when the
 * process ends.
 */
import type { HeldTables } from '../../contract.ts';
import type { NftElementObject, NftTableObject } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { NftContext } from './context.ts';
import { printAdd, printDelete } from './element.ts';
import { printReplacement, printTable, tableSpec } from './table.ts';

/** See `Kernel.holdTables`. Throws KernelError, EPERM when another process owns one of the tables. */
export function holdTables(tables: readonly NftTableObject[], elements: readonly NftElementObject[]): HeldTables {
  const context = NftContext.open();
  let held: readonly NftTableObject[] = [];
  const replace = (next: readonly NftTableObject[], members: readonly NftElementObject[]): void => {
    const former = new Set(held.map(tableSpec));
    const commands = [
      ...[...former].map((spec) => `delete table ${spec}\n`),
      // The kernel rejects `add table` without the flag for a table that has it.
      ...next.map((table) => {
        const text = printTable(owned(table));
        return former.has(tableSpec(table)) ? text : printReplacement(table, text);
      }),
    ];
    context.run(commands.join('') + printAdd(members), {
      operation: 'nft add table',
      object: next.map(tableSpec).join(', '),
    });
    held = next;
  };
  try {
    replace(tables, elements);
  } catch (error) {
    context.close();
    throw error;
  }
  let isOpen = true;
  return {
    replace: async (next, members) => replace(next, members),
    async change(added, deleted) {
      const object = [...added, ...deleted].map(({ set }) => set).join(', ');
      context.run(printAdd(added) + printDelete(deleted), { operation: 'nft add element', object });
    },
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
