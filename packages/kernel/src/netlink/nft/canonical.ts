/**
 * How nft prints a table that nobody has touched, so that a rule which somebody added or deleted in ours is seen.
 *
 * Only nft knows how it prints a body, so the table is made in an empty namespace of our own, listed without elements
 * and counters, and deleted. Asked once for each body; the namespace lives as long as the context's socket.
 */
import type { NftTableObject } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { NftContext, nftOutput } from './context.ts';
import { digestComment, printTable, tableWords } from './table.ts';

const terse = nftOutput.stateless | nftOutput.terse;

/** A table's chains, rules and sets, without what changes by itself. EquivalentCommand: `nft -s -t list table FAMILY NAME`. */
export function listBare(context: NftContext, table: NftTableObject): string {
  const words = tableWords(table);
  return context.run(`list table ${words}`, { operation: 'nft list table', object: words }, terse);
}

export class CanonicalTables {
  #scratch: NftContext | undefined;
  readonly #known = new Map<string, string | undefined>();

  /** Undefined for a table that cannot be made elsewhere, such as one that names interfaces by index. */
  listing(table: NftTableObject): string | undefined {
    const key = `${tableWords(table)} ${digestComment(table.body)}`;
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
    const words = tableWords(table);
    const purpose = { operation: 'nft add table', object: words };
    try {
      this.#scratch.run(printTable(table), purpose);
    } catch (error) {
      if (hasErrno(error, 'EINVAL', 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return undefined;
      throw error;
    }
    const listing = listBare(this.#scratch, table);
    this.#scratch.run(`delete table ${words}`, purpose);
    return listing;
  }
}
