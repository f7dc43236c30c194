/**
 * Elements of nftables hash sets and maps in the kernel's encoding: the type of a set, keys, values, requests. Only what
 * the text of an element determines without libnftables is encoded. Pure. See linux/netfilter/nf_tables.h; the numbers of
 * types, and the layout of comments, are libnftables's own (datatype.h, libnftnl/udata.h).
 */
import { ipToBytes, parseMac, tryParseIp } from '@netyard/core';
import type { NftFamily } from '../../desired.ts';
import {
  type Attribute,
  Attributes,
  align4,
  bytes,
  concatBytes,
  encodeAttributes,
  nested,
  text,
} from '../attribute.ts';
import { isComment } from './element.ts';
import { familyNumbers } from './family.ts';

const NFTA_SET = {
  ...{ TABLE: 1, NAME: 2, FLAGS: 3, KEY_TYPE: 4, KEY_LEN: 5, DATA_TYPE: 6, DATA_LEN: 7, EXPR: 17, EXPRESSIONS: 18 },
} as const;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
const NFTA_SET_ELEM = { KEY: 1, DATA: 2, USERDATA: 6 } as const;
const NFTA_DATA_VALUE = 1;
const NFT_SET_MAP = 0x08;
const NFT_SET_CONCAT = 0x80;
const UDATA_SET_ELEM_COMMENT = 0;

/** libnftables's numbers of types; a concatenation has six bits for each of its fields. */
const dataTypes = { ipAddress: 7, ip6Address: 8, etherAddress: 9, protocol: 12, service: 13, name: 41 };
const typeBits = 6;
const nameLength = 16; // IFNAMSIZ
const protocols: ReadonlyMap<string, number> = new Map([
  ['tcp', 6],
  ['udp', 17],
  ['sctp', 132],
]);

export interface NftSetName {
  family: NftFamily;
  table: string;
  set: string;
}

/** Fields of a concatenation, first to last, and their bytes together, each padded to four. Of another type: itself. */
interface DataType {
  fields: readonly number[];
  length: number;
}

/** What an element of a set consists of. */
export interface SetType {
  key: DataType;
  /** Of maps. */
  value?: DataType;
}

/** struct nfgenmsg: family, version, resource. */
const head = (family: NftFamily): Uint8Array => Uint8Array.of(familyNumbers[family], 0, 0, 0);

/** Payload of NFT_MSG_GETSET. */
export const encodeSetQuery = ({ family, table, set }: NftSetName): Uint8Array =>
  concatBytes([head(family), encodeAttributes([text(NFTA_SET.TABLE, table), text(NFTA_SET.NAME, set)])]);

/**
 * Decodes the payload of NFT_MSG_NEWSET. Undefined for a set whose elements are more than a key and a value: intervals,
 * timeouts, counters.
 */
export function decodeSetType(payload: Uint8Array): SetType | undefined {
  const set = new Attributes(payload.subarray(4));
  const flags = set.be32(NFTA_SET.FLAGS) ?? 0;
  const hasExpressions = set.bytes(NFTA_SET.EXPR) ?? set.bytes(NFTA_SET.EXPRESSIONS);
  if ((flags & ~(NFT_SET_MAP | NFT_SET_CONCAT)) !== 0 || hasExpressions) return undefined;
  const typeOf = (type: number, length: number): DataType => ({
    fields: fieldsOf(set.be32(type) ?? 0),
    length: set.be32(length) ?? 0,
  });
  const key = typeOf(NFTA_SET.KEY_TYPE, NFTA_SET.KEY_LEN);
  return (flags & NFT_SET_MAP) === 0 ? { key } : { key, value: typeOf(NFTA_SET.DATA_TYPE, NFTA_SET.DATA_LEN) };
}

function fieldsOf(type: number): number[] {
  const fields: number[] = [];
  for (let rest = type; rest > 0; rest >>>= typeBits) fields.unshift(rest & ((1 << typeBits) - 1));
  return fields;
}

/** An element's text; see `NftElementObject`. */
export interface ElementText {
  key: string;
  value?: string;
  comment?: string;
}

/** The attributes of an element; undefined for one that only libnftables can encode, or that does not fit the set. */
export function encodeElement(
  { key, value, comment }: ElementText,
  type: SetType,
  use: 'create' | 'delete',
): Attribute | undefined {
  const keyData = encodeFields(key, type.key);
  if (keyData === undefined) return undefined;
  const attributes = [dataAttribute(NFTA_SET_ELEM.KEY, keyData)];
  if (use === 'create') {
    if ((value === undefined) !== (type.value === undefined)) return undefined;
    if (value !== undefined && type.value) {
      const valueData = encodeFields(value, type.value);
      if (valueData === undefined) return undefined;
      attributes.push(dataAttribute(NFTA_SET_ELEM.DATA, valueData));
    }
    if (comment !== undefined) {
      if (!isComment(comment)) return undefined;
      attributes.push(bytes(NFTA_SET_ELEM.USERDATA, encodeComment(comment)));
    }
  }
  return nested(NFTA_LIST_ELEM, attributes);
}

const dataAttribute = (type: number, value: Uint8Array): Attribute => nested(type, [bytes(NFTA_DATA_VALUE, value)]);

/** Type, length, text with NUL. */
function encodeComment(comment: string): Uint8Array {
  const value = Buffer.from(`${comment}\0`, 'utf8');
  return concatBytes([Uint8Array.of(UDATA_SET_ELEM_COMMENT, value.length), value]);
}

function encodeFields(content: string, { fields, length }: DataType): Uint8Array | undefined {
  const parts = content.split(' . ');
  if (parts.length !== fields.length) return undefined;
  const encoded: Uint8Array[] = [];
  for (const [index, type] of fields.entries()) {
    const part = encodeField(parts[index] ?? '', type);
    if (part === undefined) return undefined;
    const padded = new Uint8Array(fields.length === 1 ? part.length : align4(part.length));
    padded.set(part);
    encoded.push(padded);
  }
  const all = concatBytes(encoded);
  return all.length === length ? all : undefined;
}

/** Not integers: the kernel knows neither their length within a concatenation nor their byte order. */
function encodeField(part: string, type: number): Uint8Array | undefined {
  switch (type) {
    case dataTypes.name:
      return encodeName(part);
    case dataTypes.etherAddress:
      return /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(part) ? parseMac(part) : undefined;
    case dataTypes.ipAddress:
      return encodeIp(part, 4);
    case dataTypes.ip6Address:
      return encodeIp(part, 6);
    case dataTypes.protocol:
      return encodeProtocol(part);
    case dataTypes.service:
      return encodePort(part);
    default:
      return undefined;
  }
}

function encodeIp(part: string, family: 4 | 6): Uint8Array | undefined {
  const ip = tryParseIp(part);
  return ip?.family === family ? ipToBytes(ip) : undefined;
}

function encodeName(part: string): Uint8Array | undefined {
  const name = /^"([\w.:@-]+)"$/.exec(part)?.[1];
  if (name === undefined || name.length >= nameLength) return undefined;
  const encoded = new Uint8Array(nameLength);
  encoded.set(Buffer.from(name, 'latin1'));
  return encoded;
}

function encodeProtocol(part: string): Uint8Array | undefined {
  const number = protocols.get(part);
  return number === undefined ? undefined : Uint8Array.of(number);
}

function encodePort(part: string): Uint8Array | undefined {
  const port = /^\d{1,5}$/.test(part) ? Number(part) : Number.NaN;
  return port <= 65_535 ? Uint8Array.of(port >>> 8, port & 0xff) : undefined;
}

/** Payload of NFT_MSG_NEWSETELEM and NFT_MSG_DELSETELEM. */
export const encodeElements = ({ family, table, set }: NftSetName, elements: readonly Attribute[]): Uint8Array =>
  concatBytes([
    head(family),
    encodeAttributes([
      text(NFTA_SET_ELEM_LIST.TABLE, table),
      text(NFTA_SET_ELEM_LIST.SET, set),
      nested(NFTA_SET_ELEM_LIST.ELEMENTS, elements),
    ]),
  ]);
