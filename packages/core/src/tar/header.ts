/** Tar entries as values, and what readers and writers share. Format: pax(1), GNU tar's "Basic Tar Format". Pure. */
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

/** Names, link targets and names of attributes are text as `textOf` makes it: every byte survives. */
export interface TarHeader {
  name: string;
  type: TarType;
  /** '' unless it is a link. */
  linkname: string;
  /** Of the file, holes included. */
  size: number;
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since 1970, negative before. */
  mtime: bigint;
  devmajor: number;
  devminor: number;
  xattrs: ReadonlyMap<string, Uint8Array>;
  /** Where a sparse file has data, in order; undefined for other files. */
  sparse?: readonly Segment[];
}

export interface Segment {
  offset: number;
  length: number;
}

/** A header of these values; what is left out is zero, empty, or a plain file. */
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

/** A header's checksum: the sum of its bytes with the sum's own field as spaces. */
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

/** Types of which an entry is its header alone, whatever the size field says. */
export const isHeaderOnly = (type: TarType): boolean =>
  type !== 'file' && type !== 'contiguous-file' && type !== 'unknown';

export const invalidTar = (reason: string): NetyardError =>
  new NetyardError('invalid', `invalid tar archive: ${reason}`);

/**
 * A member's path as clean text without a leading slash, '' for the top itself; undefined when it leads out of the
 * archive's top.
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
