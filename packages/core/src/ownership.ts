/** What identifies Netyard's kernel objects without its state. */

/** Name of Netyard's nftables tables, in the families ip and bridge. */
export const tableName = 'netyard';

/** Start of the owner text (IFLA_IFALIAS) of each of Netyard's interfaces. */
export const ownerPrefix = 'netyard: ';
