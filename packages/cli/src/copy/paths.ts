/** Plans source and target paths of `cp`. Pure. The rules are docker's: see `docker cp --help`. */
import { NetyardError } from '@netyard/core';

export interface CopyPlace {
  /** Undefined: this machine. */
  container: string | undefined;
  path: string;
}

/** `CONTAINER:PATH`, a local path, or `-`. A local path with a colon is written absolute or with `./`. */
export function parseCopyPlace(text: string): CopyPlace {
  const colon = text.indexOf(':');
  if (text.startsWith('/') || colon === -1 || text.startsWith('.')) return { container: undefined, path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** A trailing slash or `/.` requires a folder. */
export const assertsDirectory = (path: string): boolean => /(^|\/)\.?$/.test(path);

/** Folder and last name; the name `.` means the content of a folder. */
export function splitPath(path: string): { folder: string; base: string } {
  const clean = path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
  const slash = clean.lastIndexOf('/');
  if (slash === -1) return { folder: '.', base: clean };
  return { folder: slash === 0 ? '/' : clean.slice(0, slash), base: clean.slice(slash + 1) };
}

export interface Target {
  path: string;
  exists: boolean;
  isDirectory: boolean;
}

/** The folder to unpack into, and the new name of the archive's first component (undefined: unchanged). */
export function planTarget(
  source: { isDirectory: boolean },
  target: Target,
): { folder: string; name: string | undefined } {
  if (target.exists && target.isDirectory) return { folder: target.path, name: undefined };
  if (target.exists && source.isDirectory) throw new NetyardError('invalid', 'cannot copy directory');
  if (!target.exists && !source.isDirectory && assertsDirectory(target.path)) {
    throw new NetyardError('not-found', 'no such directory');
  }
  const { folder, base } = splitPath(target.path);
  return { folder, name: base };
}

/** A member's name with a new first component. `base` is the archive's, `.` for the content of a folder. */
export function rebase(member: string, base: string, name: string | undefined): string {
  if (name === undefined) return member;
  const clean = member.replace(/^\.\//, '').replace(/\/$/, '');
  if (base === '.' || base === '/' || base === '') return clean === '' || clean === '.' ? name : `${name}/${clean}`;
  return clean === base ? name : clean.startsWith(`${base}/`) ? `${name}${clean.slice(base.length)}` : clean;
}
