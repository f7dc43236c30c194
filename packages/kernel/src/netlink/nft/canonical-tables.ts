/**
 * Canonical listings of tables, to detect rules that another program added to or deleted from ours.
 *
 * Only nft knows how it prints a body, so the table is created in an empty namespace of our own, listed without
 * elements and counters, and deleted. Cached per body; the namespace lives as long as the context's socket.
 */
import type { NftTableObject } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { NftContext, nftOutput } from './context.ts';
import { digestComment, printTable, tableSpec } from './table.ts';

const terse = nftOutput.stateless | nftOutput.terse;

/**
 * A table's chains, rules and sets, without elements and counters. Equivalent to: `nft -s -t list table FAMILY NAME`.
 */
export function listBare(context: NftContext, table: NftTableObject): string {
  const spec = tableSpec(table);
  return context.run(`list table ${spec}`, { operation: 'nft list table', object: spec }, terse);
}

export class CanonicalTables {
  #scratch: NftContext | undefined;
  readonly #known = new Map<string, string | undefined>();

  /**
   * Undefined for a table that cannot be created in another namespace, such as one that matches interfaces by index.
   */
  listing(table: NftTableObject): string | undefined {
    const key = `${tableSpec(table)} ${digestComment(table.body)}`;
    if (!this.#known.has(key)) this.#known.set(key, this.#list(table));
    return this.#known.get(key);
  }

  close(): void {
    this.#scratch?.close();
    this.#scratch = undefined;
    this.#known.clear();
  }

  #list(table: NftTableObject): string | undefined {
    this.#scratch ??= NftContext.openScratch();
    const spec = tableSpec(table);
    const purpose = { operation: 'nft add table', object: spec };
    try {
      this.#scratch.run(printTable(table), purpose);
    } catch (error) {
      if (hasErrno(error, 'EINVAL', 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return undefined;
      throw error;
    }
    const listing = listBare(this.#scratch, table);
    this.#scratch.run(`delete table ${spec}`, purpose);
    this.#scratch.releaseCache();
    return listing;
  }
}
