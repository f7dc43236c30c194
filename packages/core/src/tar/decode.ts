/**
 * Decodes header blocks and pax records. Accepts what Go's archive/tar accepts, so that containerd and dockerd see the
 * same entries. Pure.
 */
import { textOf } from './byte-text.ts';
import { blockSize, checksumsOf, invalidTar, type Segment, type TarHeader, type TarType } from './header.ts';

/** A decoded header block, before preceding extension records are applied. */
export interface RawHeader {
  flag: string;
  header: TarHeader;
  /** The raw block, for the sparse map of GNU's old format. */
  block: Uint8Array;
}

const types: Readonly<Record<string, TarType>> = {
  '0': 'file',
  '\0': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'contiguous-file',
};

/** Throws `invalid`. */
export function decodeHeader(block: Uint8Array): RawHeader {
  const sums = checksumsOf(block);
  const stored = numberAt(block, 148, 8);
  if (stored !== sums.unsigned && stored !== sums.signed) throw invalidTar('invalid tar header');
  const flag = String.fromCharCode(block[156] ?? 0);
  const magic = Buffer.from(block.subarray(257, 265)).toString('latin1');
  const known = magic === 'ustar\x0000' || magic === 'ustar  \0';
  const name = stringAt(block, 0, 100);
  const prefix = prefixOf(block, magic);
  const isOldFolder = flag === '\0' && name.endsWith('/');
  return {
    flag,
    block,
    header: {
      name: prefix === '' ? name : `${prefix}/${name}`,
      type: isOldFolder ? 'directory' : (types[flag] ?? 'unknown'),
      linkname: stringAt(block, 157, 100),
      size: numberAt(block, 124, 12),
      mode: numberAt(block, 100, 8),
      uid: numberAt(block, 108, 8),
      gid: numberAt(block, 116, 8),
      mtime: BigInt(numberAt(block, 136, 12)) * 1_000_000_000n,
      devmajor: known ? numberAt(block, 329, 8) : 0,
      devminor: known ? numberAt(block, 337, 8) : 0,
      xattrs: new Map(),
    },
  };
}

/** POSIX has 155 bytes for the name's prefix, Schilling's star 131; GNU uses the field for other data. */
function prefixOf(block: Uint8Array, magic: string): string {
  if (magic !== 'ustar\x0000') return '';
  const isStar = Buffer.from(block.subarray(508, 512)).toString('latin1') === 'tar\0';
  return stringAt(block, 345, isStar ? 131 : 155);
}

export const isZeroBlock = (block: Uint8Array): boolean => block.every((byte) => byte === 0);

function stringAt(block: Uint8Array, offset: number, length: number): string {
  return cText(block.subarray(offset, offset + length));
}

/** Up to the first NUL. */
export function cText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return textOf(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Octal digits, or, when the first bit is set, a big-endian two's complement number. */
export function numberAt(block: Uint8Array, offset: number, length: number): number {
  const field = block.subarray(offset, offset + length);
  const first = field[0] ?? 0;
  if (first & 0x80) return base256(field, (first & 0x40) !== 0);
  const text = Buffer.from(field)
    .toString('latin1')
    .replace(/^[ \0]+/, '')
    .replace(/[ \0].*$/s, '');
  if (!/^[0-7]*$/.test(text)) throw invalidTar('invalid tar header');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function base256(field: Uint8Array, negative: boolean): number {
  let value = negative ? -1n : 0n;
  for (const [index, byte] of field.entries()) {
    const bits = index === 0 ? (negative ? byte | 0x80 : byte & 0x7f) : byte;
    value = (value << 8n) | BigInt(bits);
  }
  if (negative) value = BigInt.asIntN(field.length * 8, value);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw invalidTar('a number in a header is too large');
  }
  return Number(value);
}

export type PaxRecords = ReadonlyMap<string, Uint8Array>;

/**
 * Records `LENGTH KEY=VALUE
 * `. The pairs of sparse 0.0, whose keys repeat, are merged into one record as in 0.1.
 */
export function decodePax(bytes: Uint8Array): PaxRecords {
  const records = new Map<string, Uint8Array>();
  const pairs: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : textOf(bytes.subarray(at, space));
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    const isRecord = /^\d{1,9}$/.test(digits) && end <= bytes.length && bytes[end - 1] === 0x0a;
    if (!isRecord || equals < 0 || equals >= end || equals === space + 1) throw invalidTar('invalid pax record');
    const key = textOf(bytes.subarray(space + 1, equals));
    const value = bytes.subarray(equals + 1, end - 1);
    if (isText(key) && value.includes(0)) throw invalidTar(`pax record ${key} contains a NUL byte`);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') pairs.push(textOf(value));
    else records.set(key, value);
    at = end;
  }
  if (pairs.length > 0) records.set('GNU.sparse.map', Buffer.from(pairs.join(',')));
  return records;
}

const isText = (key: string): boolean => ['path', 'linkpath', 'uname', 'gname'].includes(key);

const xattrPrefix = 'SCHILY.xattr.';

/** Applies pax records to a header. Empty values count as absent, as in Go. */
export function applyPax(header: TarHeader, records: PaxRecords): TarHeader {
  const applied = { ...header };
  const xattrs = new Map<string, Uint8Array>();
  for (const [key, value] of records) {
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), value);
    if (value.length === 0) continue;
    if (key === 'path') applied.name = textOf(value);
    else if (key === 'linkpath') applied.linkname = textOf(value);
    else if (key === 'size') applied.size = wholeNumber(key, textOf(value));
    else if (key === 'uid' || key === 'gid') applied[key] = wholeNumber(key, textOf(value));
    else if (key === 'mtime') applied.mtime = decodeTime(textOf(value));
  }
  return { ...applied, xattrs };
}

function wholeNumber(key: string, text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidTar(`pax record ${key} is not a number`);
  return value;
}

/** Decimal seconds to nanoseconds; further digits are truncated. */
export function decodeTime(text: string): bigint {
  const parts = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (!parts) throw invalidTar('a pax record is not a valid time');
  const [, sign = '', seconds = '', fraction = ''] = parts;
  const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -value : value;
}

/** The four entries in a header of GNU's old sparse format, or the 21 in a continuation block. */
export function decodeOldSparse(block: Uint8Array, offset: number, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = offset + index * 24;
    if (block[at] === 0) break;
    segments.push({ offset: numberAt(block, at, 12), length: numberAt(block, at + 12, 12) });
  }
  return segments;
}

export const oldSparse = {
  inHeader: 386,
  headerCount: 4,
  headerMore: 482,
  realSize: 483,
  blockCount: 21,
  blockMore: 504,
};

/** Throws `invalid` unless segments are ordered, disjoint, within the file, and as long in total as the stored data. */
export function checkSparse(segments: readonly Segment[], size: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of segments) {
    const isBad = !Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || length < 0 || offset < end;
    if (isBad || offset + length > size) throw invalidTar('invalid sparse map');
    end = offset + length;
    sum += length;
  }
  if (sum !== stored || size < 0) throw invalidTar('invalid sparse map');
}

/** `OFFSET,LENGTH,…` of sparse 0.1. */
export function decodeSparseMap(text: string): Segment[] {
  if (text === '') return [];
  const numbers = text.split(',').map((part) => wholeNumber('GNU.sparse.map', part));
  if (numbers.length % 2 !== 0) throw invalidTar('invalid sparse map');
  return numbers.flatMap((offset, index) => (index % 2 === 0 ? [{ offset, length: numbers[index + 1] ?? 0 }] : []));
}

export const sparseNumber = (text: string): number => wholeNumber('GNU.sparse', text);

export { blockSize };

/** Whether these bytes are a tar header block. Pure. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length < blockSize || isZeroBlock(block.subarray(0, blockSize))) return false;
  const sums = checksumsOf(block);
  try {
    return [sums.signed, sums.unsigned].includes(numberAt(block, 148, 8));
  } catch {
    return false;
  }
}
