/**
 * nftables tables of our own, replaced as a whole. Their comment carries a digest of the desired body, so that one
 * small query shows whether a table was created from it, however many elements it has. `canonical-tables.ts` detects
 * later edits. Pure except `findTable`.
 */
import { createHash } from 'node:crypto';
import type { NftTableObject } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { Attributes, bytes, concatBytes, encodeAttributes } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';
import { type NftElement, parseElements, printElement } from './element.ts';
import { familyNumbers } from './family.ts';
import { checkNftName } from './name.ts';

const NFT_MSG_GETTABLE = 0x0a01; // subsystem NFTABLES, message 1
const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_USERDATA = 6;
const UDATA_TABLE_COMMENT = 0;

export type NftTableName = Pick<NftTableObject, 'family' | 'name'>;

/** `ip netyard`. Throws `invalid` for invalid names. */
export function tableSpec({ family, name }: NftTableName): string {
  checkNftName(family);
  checkNftName(name);
  return `${family} ${name}`;
}

/** The comment with the digest of the body that a table was created from. */
export function digestComment(body: string): string {
  const lines = body.split('\n').map((line) => line.trim());
  const digest = createHash('sha256').update(lines.filter((line) => line !== '').join('\n'));
  return `netyard sha256:${digest.digest('hex').slice(0, 32)}`;
}

/** The table as readable nft(8) text. `comment` defaults to its digest. */
export function printTable(table: NftTableObject, comment: string = digestComment(table.body)): string {
  const lines = table.body
    .split('\n')
    .filter((line, index, all) => line.trim() !== '' || (index > 0 && index < all.length - 1));
  const margin = Math.min(
    ...lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length),
  );
  const body = lines.map((line) => (line.trim() === '' ? '' : `\t${line.slice(margin)}`));
  return [`table ${tableSpec(table)} {`, `\tcomment "${comment}"`, ...body, '}', ''].join('\n');
}

/** `add table` first, so that `delete table` cannot fail: replaces or creates the table in one transaction. */
export const printReplacement = (table: NftTableName, text: string): string =>
  `add table ${tableSpec(table)}\ndelete table ${tableSpec(table)}\n${text}`;

/**
 * Commands that restore the elements found in an old table's listing: those of sets and maps that the new body has too,
 * under the same or a later name, with the same types. The kernel would reject the others, and with them the whole
 * transaction.
 */
export function printKeptElements(table: NftTableObject, oldListing: string): string {
  const desired = new Map(listSets(table.body).map((set) => [set.name, set.type]));
  const renamed = new Map(Object.entries(table.formerSets ?? {}).map(([name, former]) => [former, name]));
  return listSets(oldListing)
    .map((set) => ({ ...set, name: desired.has(set.name) ? set.name : (renamed.get(set.name) ?? set.name) }))
    .filter((set) => set.elements.length > 0 && desired.has(set.name))
    .filter((set) => desired.get(set.name) === set.type)
    .map(
      ({ name, elements }) => `add element ${tableSpec(table)} ${name} { ${elements.map(printElement).join(', ')} }\n`,
    )
    .join('');
}

interface PrintedSet {
  name: string;
  /** The text after `type` or `typeof`, with whitespace collapsed. */
  type: string;
  elements: NftElement[];
}

/** The named sets and maps of a table's text, hand-written or printed by nft. */
export function listSets(text: string): PrintedSet[] {
  return [...text.matchAll(/\b(?:set|map)\s+(\S+)\s*\{/g)].map((match) => {
    const body = blockFrom(text, match.index + match[0].length);
    const type = /\b(type(?:of)?\s+[^;\n{}]+)/.exec(body)?.[1] ?? '';
    return { name: match[1] ?? '', type: type.trim().replace(/\s+/g, ' '), elements: parseElements(body) };
  });
}

/** The text up to the brace that closes the block opened just before `start`. */
function blockFrom(text: string, start: number): string {
  let depth = 1;
  let quoted = false;
  for (let position = start; position < text.length; position += 1) {
    const character = text[position];
    if (character === '"') quoted = !quoted;
    if (quoted) continue;
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    if (depth === 0) return text.slice(start, position);
  }
  return text.slice(start);
}

/** Payload of NFT_MSG_GETTABLE: struct nfgenmsg and the name. */
export function encodeTableQuery({ family, name }: NftTableName): Uint8Array {
  // The kernel also accepts the name without NUL; nft sends it with one.
  const attribute = bytes(NFTA_TABLE_NAME, new Uint8Array(Buffer.from(`${name}\0`)));
  return concatBytes([Uint8Array.of(familyNumbers[family], 0, 0, 0), encodeAttributes([attribute])]);
}

/** Finds the comment in a table's user data: records of type (1 byte), length (1 byte), value. */
export function decodeTableComment(payload: Uint8Array): string | undefined {
  const data = new Attributes(payload.subarray(4)).bytes(NFTA_TABLE_USERDATA) ?? new Uint8Array();
  for (let offset = 0; offset + 2 <= data.length; offset += 2 + (data[offset + 1] ?? 0)) {
    const value = data.subarray(offset + 2, offset + 2 + (data[offset + 1] ?? 0));
    if (data[offset] === UDATA_TABLE_COMMENT) return Buffer.from(value).toString('utf8').replace(/\0.*$/s, '');
  }
  return undefined;
}

/** The comment of a table; undefined when the table does not exist. Equivalent to: `nft list table FAMILY NAME`. */
export function findTable(socket: NetlinkSocket, table: NftTableName): { comment: string | undefined } | undefined {
  try {
    const payload = encodeTableQuery(table);
    const request = { type: NFT_MSG_GETTABLE, payload, operation: 'nft list table', object: tableSpec(table) };
    return { comment: decodeTableComment(socket.query(request).payload) };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
