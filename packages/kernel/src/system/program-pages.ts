/** Pages of this program's file that the process has mapped, but does not use at the moment. */
import { readFile } from 'node:fs/promises';
import { libc } from './ffi/libc.ts';

/** From <sys/mman.h>, the same on all architectures that Node runs on. */
const MADV_DONTNEED = 4;

export interface Mapping {
  start: bigint;
  /** In bytes. */
  length: bigint;
}

/**
 * The read-only mappings of a file that have no pages of their own, from /proc/PID/smaps (proc(5)). Pages that differ
 * from the file, such as relocated pointers, would be lost.
 *
 * Pure.
 */
export function parseUnchangedMappings(smaps: string, file: string): Mapping[] {
  const mappings = smaps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+ +(.*)\n((?:[A-Z]\w+:.*\n)*)/gm);
  return [...mappings].flatMap(([, from, to, path, sizes = '']) => {
    if (path !== file || !/^Anonymous: +0 kB$/m.test(sizes)) return [];
    const start = BigInt(`0x${from}`);
    return [{ start, length: BigInt(`0x${to}`) - start }];
  });
}

/**
 * Unmaps the pages of the program's file, on threads of the pool: most of what Node's start and V8's compilers read of it
 * is not read again. They stay in the page cache, and are mapped again where they are used, without reading the disk.
 */
export async function releaseProgramPages(): Promise<void> {
  for (const { start, length } of parseUnchangedMappings(await readFile('/proc/self/smaps', 'utf8'), process.execPath))
    await unmapPages(start, length);
}

/** A failure leaves the pages mapped, which does no harm. */
const unmapPages = (start: bigint, length: bigint): Promise<void> =>
  new Promise((resolve) => libc().madviseAsync(start, length, MADV_DONTNEED, () => resolve()));
