/** What identifies Netyard's kernel objects without its state. */

/** Name of Netyard's nftables tables, in the families ip and bridge. */
export const tableName = 'netyard';

/** Start of the owner text (IFLA_IFALIAS) of each of Netyard's interfaces. */
export const ownerPrefix = 'netyard: ';

/** The network and number of a segment, from the name of its bridge (nyb), or of an end of the pair that joins it (nyt, nyu). */
export function segmentOfLink(name: string): { networkPrefix: string; segment: number } | undefined {
  const [, networkPrefix = '', digits = ''] = /^ny[btu]([0-9a-f]{10})([0-9a-z]{2})$/.exec(name) ?? [];
  return networkPrefix === '' ? undefined : { networkPrefix, segment: Number.parseInt(digits, 36) };
}
