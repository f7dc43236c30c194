/** Paths for libc: names are bytes, and what UTF-8 cannot say is handed over as bytes that end in NUL. Pure. */
import { cString, NetyardError } from '@netyard/core';

/** Throws `invalid` for a NUL, at which C would end the path. */
export function cPath(path: string): string | Uint8Array {
  if (path.includes('\0')) throw new NetyardError('invalid', 'a path has a NUL in it');
  return path.isWellFormed() ? path : cString(path);
}
