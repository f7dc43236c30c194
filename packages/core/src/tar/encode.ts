/** Encodes header blocks and pax records: ustar, with pax records for values that ustar cannot represent. Pure. */
import { bytesOf } from './byte-text.ts';
import { blockSize, checksumsOf, padding, type TarHeader, type TarType } from './header.ts';

const flags: Readonly<Record<TarType, string>> = {
  file: '0',
  unknown: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
  'contiguous-file': '7',
};

const maxNameLength = 100;
const maxId = 0o7777777;
const maxSize = 0o77777777777;

/** All blocks that precede an entry's content. */
export function encodeHeader(header: TarHeader): Buffer {
  const records = paxRecords(header);
  const plain = headerBlock(header, flags[header.type]);
  if (records.length === 0) return plain;
  const body = Buffer.concat(records);
  const pax = headerBlock(
    { ...header, name: `PaxHeaders.0/${header.name}`, linkname: '', size: body.length, mode: 0o644, xattrs: new Map() },
    'x',
  );
  return Buffer.concat([pax, body, encodePadding(body.length), plain]);
}

/** Zeros that pad the content to a full block. */
export const encodePadding = (size: number): Buffer => zeros(padding(size));

/** From the pool of small buffers, as an archive of small files has many. */
const zeros = (length: number): Buffer => Buffer.allocUnsafe(length).fill(0);

/** The end of an archive: two blocks of zeros. */
export const encodeEnd = (): Buffer => Buffer.alloc(2 * blockSize);

function headerBlock(header: TarHeader, flag: string): Buffer {
  const block = zeros(blockSize);
  bytesOf(header.name).copy(block, 0, 0, maxNameLength);
  bytesOf(header.linkname).copy(block, 157, 0, maxNameLength);
  const seconds = header.mtime / 1_000_000_000n;
  octal(block, 100, 8, header.mode & 0o7777);
  octal(block, 108, 8, header.uid);
  octal(block, 116, 8, header.gid);
  octal(block, 124, 12, header.size);
  octal(block, 136, 12, header.mtime < 0n ? 0 : Number(seconds));
  block.write(flag, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, 329, 8, header.devmajor);
  octal(block, 337, 8, header.devminor);
  const sum = checksumsOf(block).unsigned;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Values that do not fit are zero here and have a pax record. */
function octal(block: Buffer, offset: number, length: number, value: number): void {
  const digits = value.toString(8).padStart(length - 1, '0');
  block.write(digits.length < length && value >= 0 ? digits : '0'.repeat(length - 1), offset, 'latin1');
}

function paxRecords(header: TarHeader): Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: string | Uint8Array): void => void records.push(paxRecord(key, value));
  const { name, linkname, uid, gid, size, mtime, xattrs } = header;
  if (isLong(name)) add('path', bytesOf(name));
  if (isLong(linkname)) add('linkpath', bytesOf(linkname));
  if (uid > maxId) add('uid', String(uid));
  if (gid > maxId) add('gid', String(gid));
  if (size > maxSize) add('size', String(size));
  if (mtime < 0n || mtime % 1_000_000_000n !== 0n || mtime > BigInt(maxSize) * 1_000_000_000n)
    add('mtime', encodeTime(mtime));
  for (const [key, value] of xattrs) add(`SCHILY.xattr.${key}`, value);
  return records;
}

/**
 * Whether a name needs a record. Non-ASCII text does too: a pax record is UTF-8 by definition, a header only by
 * convention.
 */
const isLong = (text: string): boolean =>
  text.length > maxNameLength ||
  (/[^\x20-\x7e]/.test(text) && text.isWellFormed()) ||
  bytesOf(text).length > maxNameLength;

/** Decimal seconds. */
export function encodeTime(time: bigint): string {
  const positive = time < 0n ? -time : time;
  const fraction = String(positive % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${time < 0n ? '-' : ''}${positive / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/**
 * `LENGTH KEY=VALUE
 * `; the length includes its own digits.
 */
function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(' '), bytesOf(key), Buffer.from('='), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
