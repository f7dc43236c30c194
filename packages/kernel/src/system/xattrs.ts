/** Extended attributes, which node:fs lacks. Symbolic links are followed; `/proc/self/fd/N` names an open file. */
import { textOf } from '@netyard/core';
import { cPath } from './c-path.ts';
import { checked } from './calls.ts';
import { errnoOf, hasErrno } from './ffi/errno.ts';
import { libc } from './ffi/libc.ts';

const maxValueLength = 65_536; // XATTR_SIZE_MAX and XATTR_LIST_MAX of linux/limits.h

/** listxattr(2); empty on file systems without extended attributes. Equivalent to: `getfattr -m - PATH`. */
export function listXattrs(path: string): string[] {
  const name = cPath(path);
  return listWith((buffer) => libc().listxattr(name, buffer, buffer.length), path);
}

/** The same for an open file, not one of O_PATH. flistxattr(2). */
export const listFileXattrs = (fd: number): string[] =>
  listWith((buffer) => libc().flistxattr(fd, buffer, buffer.length), `fd ${fd}`);

const nothing = new Uint8Array(0);

function listWith(list: (buffer: Uint8Array) => number, path: string): string[] {
  // most files have none: querying the length first avoids a buffer of 64 KiB
  if (list(nothing) === 0) return [];
  const buffer = new Uint8Array(maxValueLength);
  const length = list(buffer);
  if (length < 0 && libc().errno() === errnoOf('EOPNOTSUPP')) return [];
  const names = textOf(buffer.subarray(0, checked(length, 'listxattr', path)));
  return names.split('\0').filter((name) => name !== '');
}

/** getxattr(2); undefined when the attribute does not exist. Equivalent to: `getfattr -n NAME PATH`. */
export function getXattr(path: string, name: string): Uint8Array | undefined {
  const buffer = new Uint8Array(maxValueLength);
  const length = libc().getxattr(cPath(path), cPath(name), buffer, buffer.length);
  try {
    return buffer.slice(0, checked(length, `getxattr ${name}`, path));
  } catch (error) {
    if (hasErrno(error, 'ENODATA') || hasErrno(error, 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

/** setxattr(2). Equivalent to: `setfattr -n NAME -v VALUE PATH`. */
export function setXattr(path: string, name: string, value: Uint8Array): void {
  checked(libc().setxattr(cPath(path), cPath(name), value, value.length, 0), `setxattr ${name}`, path);
}
