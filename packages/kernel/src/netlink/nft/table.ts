/**
 * nftables tables of our own, written whole. Their comment carries a digest of the wanted body, so that one small
 * question tells whether a table was made from it, however many elements it holds. Pure but for `findTable`. Whether
 * somebody has edited it since, canonical.ts tells.
 */
import { createHash } from 'node:crypto';
import type { NftFamily, NftTableObject } from '../../desired.ts';
import { hasErrno } from '../../system/ffi/errno.ts';
import { Attributes, bytes, concatBytes, encodeAttributes } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';
import { type NftElement, parseElements, printElement } from './element.ts';
import { checkNftName } from './name.ts';

const NFT_MSG_GETTABLE = 0x0a01; // subsystem NFTABLES, message 1
const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_USERDATA = 6;
const UDATA_TABLE_COMMENT = 0;
/** linux/netfilter.h NFPROTO_*. */
const familyNumbers: Readonly<Record<NftFamily, number>> = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 };

export type NftTableName = Pick<NftTableObject, 'family' | 'name'>;

/** `ip netyard`, names checked. */
export function tableWords({ family, name }: NftTableName): string {
  checkNftName(family);
  checkNftName(name);
  return `${family} ${name}`;
}

/** The comment that says which body a table was made from. */
export function digestComment(body: string): string {
  const lines = body.split('\n').map((line) => line.trim());
  const digest = createHash('sha256').update(lines.filter((line) => line !== '').join('\n'));
  return `netyard sha256:${digest.digest('hex').slice(0, 32)}`;
}

/** The table as nft(8) text, readable. `comment` is its digest unless told otherwise. */
export function printTable(table: NftTableObject, comment: string = digestComment(table.body)): string {
  const lines = table.body
    .split('\n')
    .filter((line, index, all) => line.trim() !== '' || (index > 0 && index < all.length - 1));
  const margin = Math.min(
    ...lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length),
  );
  const body = lines.map((line) => (line.trim() === '' ? '' : `\t${line.slice(margin)}`));
  return [`table ${tableWords(table)} {`, `\tcomment "${comment}"`, ...body, '}', ''].join('\n');
}

/** `add table` first, so that there is something to delete: the table is gone or new either way, in one step. */
export const printReplacement = (table: NftTableName, text: string): string =>
  `add table ${tableWords(table)}\ndelete table ${tableWords(table)}\n${text}`;

/**
 * Commands that put back the elements found in an old table's listing: those of sets and maps which the new body has
 * too, with the same types. The others would be refused, and with them the whole table.
 */
export function printKeptElements(table: NftTableObject, oldListing: string): string {
  const wanted = new Map(eachSet(table.body).map((set) => [set.name, set.type]));
  return eachSet(oldListing)
    .filter((set) => set.elements.length > 0 && wanted.has(set.name))
    .filter((set) => wanted.get(set.name) === set.type)
    .map(
      ({ name, elements }) => `add element ${tableWords(table)} ${name} { ${elements.map(printElement).join(', ')} }\n`,
    )
    .join('');
}

interface PrintedSet {
  name: string;
  /** What follows `type` or `typeof`, spaces made one. */
  type: string;
  elements: NftElement[];
}

/** The named sets and maps of a table's text, as written by hand or printed by nft. */
function eachSet(text: string): PrintedSet[] {
  return [...text.matchAll(/\b(?:set|map)\s+(\S+)\s*\{/g)].map((match) => {
    const body = blockFrom(text, match.index + match[0].length);
    const type = /\b(type(?:of)?\s+[^;\n{}]+)/.exec(body)?.[1] ?? '';
    return { name: match[1] ?? '', type: type.trim().replace(/\s+/g, ' '), elements: parseElements(body) };
  });
}

/** Up to the brace that closes the block which was opened just before `start`. */
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
export function encodeTableQuestion({ family, name }: NftTableName): Uint8Array {
  // Without its NUL the name would do as well; nft sends it with one.
  const attribute = bytes(NFTA_TABLE_NAME, new Uint8Array(Buffer.from(`${name}\0`)));
  return concatBytes([Uint8Array.of(familyNumbers[family], 0, 0, 0), encodeAttributes([attribute])]);
}

/** The comment in a table's user data: type, length, value in one byte each and more. */
export function decodeTableComment(payload: Uint8Array): string | undefined {
  const data = new Attributes(payload.subarray(4)).bytes(NFTA_TABLE_USERDATA) ?? new Uint8Array();
  for (let offset = 0; offset + 2 <= data.length; offset += 2 + (data[offset + 1] ?? 0)) {
    const value = data.subarray(offset + 2, offset + 2 + (data[offset + 1] ?? 0));
    if (data[offset] === UDATA_TABLE_COMMENT) return Buffer.from(value).toString('utf8').replace(/\0.*$/s, '');
  }
  return undefined;
}

/** Whether a table is there, and its comment. EquivalentCommand: `nft list table FAMILY NAME`. */
export function findTable(socket: NetlinkSocket, table: NftTableName): { comment: string | undefined } | undefined {
  try {
    const payload = encodeTableQuestion(table);
    const request = { type: NFT_MSG_GETTABLE, payload, operation: 'nft list table', object: tableWords(table) };
    return { comment: decodeTableComment(socket.ask(request).payload) };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
