/** Paths for libc: file names are bytes, so a name that is not valid UTF-8 is passed as NUL-terminated bytes. Pure. */
import { cString, NetyardError } from '@netyard/core';

/** Throws `invalid` for a NUL, where C would truncate the path. */
export function cPath(path: string): string | Uint8Array {
  if (path.includes('\0')) throw new NetyardError('invalid', 'path contains a NUL byte');
  return path.isWellFormed() ? path : cString(path);
}
