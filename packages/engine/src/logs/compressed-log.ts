/**
 * Rotated logs are compressed in blocks, each a gzip member of at most 64 KiB (RFC 1952), as bgzip does: `zcat` prints
 * them, and a reader finds any position without unpacking what is before. A field of each member names the file that
 * was compressed, so that a reader of that file recognises it.
 */
import { fstatSync, readSync } from 'node:fs';
import { crc32, inflateRawSync } from 'node:zlib';

/** Of the log in one block; compressed and with its header it still fits into 64 KiB. */
export const blockLength = 0xff00;
/** Fixed fields, the subfield `BC` with the length of the member, and `NY` with the identity of the log. */
const headerLength = 12 + 6 + 20;
/** CRC and length of the content. */
const trailerLength = 8;
const fixed = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, headerLength - 12, 0]);

/** The inode and the time of creation (nanoseconds) of the file that was compressed. */
export interface LogIdentity {
  inode: bigint;
  createdAt: bigint;
}

/** @param deflated the block, compressed by deflateRaw */
export function encodeMember(block: Uint8Array, deflated: Uint8Array, { inode, createdAt }: LogIdentity): Buffer {
  const member = Buffer.alloc(headerLength + deflated.length + trailerLength);
  member.set(fixed);
  member.write('BC\x02\x00', 12, 'latin1');
  member.writeUInt16LE(member.length - 1, 16);
  member.write('NY\x10\x00', 18, 'latin1');
  member.writeBigUInt64LE(inode, 22);
  member.writeBigUInt64LE(createdAt, 30);
  member.set(deflated, headerLength);
  member.writeUInt32LE(crc32(block), member.length - trailerLength);
  member.writeUInt32LE(block.length, member.length - 4);
  return member;
}

interface Member {
  at: number;
  length: number;
  /** Of its content in the log. */
  start: number;
  size: number;
}

export class CompressedLog {
  readonly identity: LogIdentity;
  readonly size: number;
  readonly #fd: number;
  readonly #members: readonly Member[];
  #content: { member: Member; bytes: Buffer } | undefined;

  private constructor(fd: number, identity: LogIdentity, members: readonly Member[]) {
    const last = members.at(-1);
    this.#fd = fd;
    this.identity = identity;
    this.#members = members;
    this.size = last ? last.start + last.size : 0;
  }

  /** Undefined for a file that another program compressed. The caller closes the descriptor. */
  static open(fd: number): CompressedLog | undefined {
    const { size } = fstatSync(fd);
    const members: Member[] = [];
    let identity: LogIdentity | undefined;
    for (let at = 0, start = 0; at < size; ) {
      const header = readAt(fd, at, headerLength);
      if (!isHeader(header)) return undefined;
      const length = header.readUInt16LE(16) + 1;
      const trailer = readAt(fd, at + length - 4, 4);
      if (length <= headerLength + trailerLength || trailer.length < 4) return undefined;
      const content = trailer.readUInt32LE();
      if (content > blockLength) return undefined;
      identity ??= { inode: header.readBigUInt64LE(22), createdAt: header.readBigUInt64LE(30) };
      members.push({ at, length, start, size: content });
      at += length;
      start += content;
    }
    return identity && new CompressedLog(fd, identity, members);
  }

  /** Reads a part of the log that is in one block. Returns 0 at its end, and where the file is damaged. */
  read(buffer: Buffer, from: number, room: number, position: number): number {
    const member = this.#members[this.#indexOf(position)];
    if (!member) return 0;
    const bytes = this.#contentOf(member);
    const start = position - member.start;
    if (start >= bytes.length) return 0; // Buffer.copy would throw
    return bytes.copy(buffer, from, start, start + room);
  }

  /** Index of the member with this byte; the number of members after the end. */
  #indexOf(position: number): number {
    let [low, high] = [0, this.#members.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { start, size } = this.#members[middle] as Member;
      if (start + size <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #contentOf(member: Member): Buffer {
    if (this.#content?.member !== member) this.#content = { member, bytes: inflate(this.#fd, member) };
    return this.#content.bytes;
  }
}

const isHeader = (bytes: Buffer): boolean =>
  bytes.length === headerLength &&
  bytes.subarray(0, fixed.length).equals(fixed) &&
  bytes.toString('latin1', 12, 16) === 'BC\x02\x00' &&
  bytes.toString('latin1', 18, 22) === 'NY\x10\x00';

function inflate(fd: number, { at, length, size }: Member): Buffer {
  const deflated = readAt(fd, at + headerLength, length - headerLength - trailerLength);
  try {
    return inflateRawSync(deflated, { maxOutputLength: size });
  } catch {
    return Buffer.alloc(0);
  }
}

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, length));
  return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, at));
}
