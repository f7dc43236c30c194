/**
 * Lists directories in time slices: a container can create one with hundreds of thousands of entries. Not with node:fs,
 * which calls lstat for each name where the file system gives no types (NFS, FUSE): slow, and with a wrong path for a name
 * that is read as latin1.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { endianness } from 'node:os';
import { TimeSlice } from '@netyard/core';
import { checked } from './calls.ts';
import { libc } from './ffi/libc.ts';

export interface FolderEntry {
  /** Bytes: names need not be UTF-8. */
  name: Buffer;
  /** Undefined where the file system does not say. */
  isDirectory: boolean | undefined;
}

// struct dirent64: 64 bits each of inode and offset, 16 of the record's length, 8 of the type, the name and a NUL
const [lengthAt, typeAt, nameAt] = [16, 18, 19];
const [DT_UNKNOWN, DT_DIR] = [0, 4];
const isLittleEndian = endianness() === 'LE';

/** Of the size that glibc takes. Entries are copied before anything else is read into it. */
const buffer = Buffer.alloc(32 * 1024);

/** In no order. Equivalent to: `ls -U FOLDER`. */
export async function listEntries(path: string | Buffer): Promise<FolderEntry[]> {
  const entries: FolderEntry[] = [];
  const slice = new TimeSlice();
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (;;) {
      const length = checked(libc().getdents64(fd, buffer, buffer.length), 'getdents64', path.toString());
      if (length === 0) return entries;
      addEntries(entries, buffer.subarray(0, length));
      if (slice.isOver) await slice.next();
    }
  } finally {
    closeSync(fd);
  }
}

function addEntries(entries: FolderEntry[], records: Buffer): void {
  for (let at = 0; at < records.length; ) {
    const length = isLittleEndian ? records.readUInt16LE(at + lengthAt) : records.readUInt16BE(at + lengthAt);
    const name = Buffer.from(records.subarray(at + nameAt, records.indexOf(0, at + nameAt)));
    const type = records[at + typeAt];
    const text = name.length < 3 ? name.toString('latin1') : '';
    if (text !== '.' && text !== '..')
      entries.push({ name, isDirectory: type === DT_UNKNOWN ? undefined : type === DT_DIR });
    at += length;
  }
}
