/**
 * The tar header type, and functions shared by readers and writers. Format: pax(1), GNU tar's "Basic Tar Format". Pure.
 */
import { NetyardError } from '../errors.ts';

export const blockSize = 512;

export type TarType =
  | 'file'
  | 'contiguous-file'
  | 'directory'
  | 'symlink'
  | 'link'
  | 'fifo'
  | 'character-device'
  | 'block-device'
  | 'unknown';

/** Names, link targets and attribute names are text as returned by `textOf`, which preserves every byte. */
export interface TarHeader {
  name: string;
  type: TarType;
  /** Target of a link; otherwise ''. */
  linkname: string;
  /** Size of the file, including holes. */
  size: number;
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since the Unix epoch; negative before it. */
  mtime: bigint;
  devmajor: number;
  devminor: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
  /** Data segments of a sparse file, in order; undefined for other files. */
  sparse?: readonly Segment[];
}

export interface Segment {
  offset: number;
  length: number;
}

/** A header with these values; omitted ones are zero, empty, or a regular file's. */
export function tarHeader(values: Partial<TarHeader> & { name: string }): TarHeader {
  return {
    type: 'file',
    linkname: '',
    size: 0,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0n,
    devmajor: 0,
    devminor: 0,
    xattrs: new Map(),
    ...values,
  };
}

/** A header's checksum: the sum of its bytes, with the checksum field as spaces. */
export function checksumsOf(block: Uint8Array): { unsigned: number; signed: number } {
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < blockSize; at += 1) {
    const byte = at >= 148 && at < 156 ? 32 : (block[at] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return { unsigned, signed };
}

export const padding = (size: number): number => (blockSize - (size % blockSize)) % blockSize;

/** Entries of these types have no content, whatever the size field says. */
export const isHeaderOnly = (type: TarType): boolean =>
  type !== 'file' && type !== 'contiguous-file' && type !== 'unknown';

export const invalidTar = (reason: string): NetyardError =>
  new NetyardError('invalid', `invalid tar archive: ${reason}`);

/**
 * A member's normalized path without a leading slash, '' for the root itself; undefined when it leaves the archive's
 * root.
 */
export function memberPath(name: string): string | undefined {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
