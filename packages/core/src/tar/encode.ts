/** Header blocks and pax records as bytes: ustar, with pax records for what it has no place for. Pure. */
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

const longestName = 100;
const largestId = 0o7777777;
const largestSize = 0o77777777777;

/** All that stands before an entry's content. */
export function encodeHeader(header: TarHeader): Buffer {
  const records = paxRecords(header);
  const plain = headerBlock(header, flags[header.type]);
  if (records.length === 0) return plain;
  const body = Buffer.concat(records);
  const pax = headerBlock(
    { ...header, name: `PaxHeaders.0/${header.name}`, linkname: '', size: body.length, mode: 0o644, xattrs: new Map() },
    'x',
  );
  return Buffer.concat([pax, body, Buffer.alloc(padding(body.length)), plain]);
}

/** Zeros that fill up the last block of a content. */
export const encodePadding = (size: number): Buffer => Buffer.alloc(padding(size));

/** Two blocks of zeros. */
export const encodeEnd = (): Buffer => Buffer.alloc(2 * blockSize);

function headerBlock(header: TarHeader, flag: string): Buffer {
  const block = Buffer.alloc(blockSize);
  bytesOf(header.name).copy(block, 0, 0, longestName);
  bytesOf(header.linkname).copy(block, 157, 0, longestName);
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

/** What does not fit is zero here and has a pax record. */
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
  if (uid > largestId) add('uid', String(uid));
  if (gid > largestId) add('gid', String(gid));
  if (size > largestSize) add('size', String(size));
  if (mtime < 0n || mtime % 1_000_000_000n !== 0n || mtime > BigInt(largestSize) * 1_000_000_000n)
    add('mtime', encodeTime(mtime));
  for (const [key, value] of xattrs) add(`SCHILY.xattr.${key}`, value);
  return records;
}

/** Text that is not ASCII has a record too: its bytes are UTF-8 there by definition, in a header by custom only. */
const isLong = (text: string): boolean =>
  text.length > longestName || (/[^\x20-\x7e]/.test(text) && text.isWellFormed()) || bytesOf(text).length > longestName;

/** Decimal seconds. */
export function encodeTime(time: bigint): string {
  const positive = time < 0n ? -time : time;
  const fraction = String(positive % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${time < 0n ? '-' : ''}${positive / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** `LENGTH KEY=VALUE\n`, its length counted in. */
function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(' '), bytesOf(key), Buffer.from('='), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
