/** Lists directories in time slices: a container can create one with hundreds of thousands of entries. */
import { opendirSync } from 'node:fs';
import { TimeSlice } from '@netyard/core';

export interface FolderEntry {
  /** Bytes: names need not be UTF-8. */
  name: Buffer;
  isDirectory: boolean;
}

/** Entries that are read at a time. */
const bufferSize = 256;

/** In no order. Equivalent to: `ls -U FOLDER`. */
export async function listEntries(path: string | Buffer): Promise<FolderEntry[]> {
  const entries: FolderEntry[] = [];
  const slice = new TimeSlice();
  const folder = opendirSync(path, { encoding: 'latin1', bufferSize });
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      entries.push({ name: Buffer.from(entry.name, 'latin1'), isDirectory: entry.isDirectory() });
      if (slice.isOver) await slice.next();
    }
    return entries;
  } finally {
    folder.closeSync();
  }
}
