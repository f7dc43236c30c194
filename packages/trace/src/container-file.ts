/** Reads small text files of containers, whose programs can put anything else in their place. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { O_PATH, openInRoot } from '@netyard/kernel';

/** In bytes; a hosts file of 1000 names has 40 KiB. */
const maxLength = 1024 * 1024;

/**
 * Undefined for a file that is absent, longer than 1 MiB, or none: a FIFO or a device could keep the reader waiting. Links
 * are followed inside `root` only: those in `/proc/PID/root` would otherwise lead to files of the host. Throws nothing.
 */
export function readContainerFile(root: string, path: string): string | undefined {
  try {
    return withDescriptor(openInRoot(root, path, O_PATH), (place) => {
      const stat = fstatSync(place);
      if (!stat.isFile() || stat.size > maxLength) return undefined;
      // The same file, whatever the path names meanwhile.
      const file = openSync(`/proc/self/fd/${place}`, constants.O_RDONLY | constants.O_NONBLOCK);
      return withDescriptor(file, (fd) => readText(fd, stat.size));
    });
  } catch {
    return undefined;
  }
}

/** Not beyond the size: files of procfs, of which some wait for data, have 0. */
function readText(fd: number, size: number): string {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const count = readSync(fd, bytes, length, size - length, null);
    if (count === 0) break;
    length += count;
  }
  return bytes.toString('utf8', 0, length);
}

function withDescriptor<T>(fd: number, work: (fd: number) => T): T {
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}
