/** Owner, mode and attributes of an unpacked entry, and the creation of nodes. */
import { chmodSync, chownSync, fchmodSync, fchownSync, fstatSync } from 'node:fs';
import type { TarHeader } from '@netyard/core';
import { hasErrno, makeDevice, makeFifo, setXattr } from '@netyard/kernel';
import { atFd, openName, withFd } from '../rootfs/root-paths.ts';

/** Owner before mode: changing the owner clears the set-user-id bit. `path` is the path of a descriptor. */
export function own(path: string, { uid, gid, mode, xattrs }: TarHeader): void {
  chownSync(path, uid, gid);
  chmodSync(path, mode & 0o7777);
  setXattrs(path, xattrs);
}

/** The same for an open file, without the calls that would change nothing. */
export function ownFile(fd: number, { uid, gid, mode, xattrs }: TarHeader): void {
  const stat = fstatSync(fd);
  const isOwner = stat.uid === uid && stat.gid === gid;
  if (!isOwner) fchownSync(fd, uid, gid);
  if (!isOwner || (stat.mode & 0o7777) !== (mode & 0o7777)) fchmodSync(fd, mode & 0o7777);
  if (xattrs.size > 0) setXattrs(atFd(fd), xattrs);
}

/** Permissions of a new file until `ownFile`: no more than the archive grants, as its owner is still root. */
export const firstMode = ({ uid, gid, mode }: TarHeader): number => (uid === 0 && gid === 0 ? mode & 0o777 : 0o600);

export function setXattrs(path: string, xattrs: TarHeader['xattrs']): void {
  for (const [name, value] of xattrs) setXattrIfPossible(path, name, value);
}

/** Attributes of `trusted.` belong to the host and overlayfs; on a file system without attributes they are dropped. */
function setXattrIfPossible(path: string, name: string, value: Uint8Array): void {
  if (name.startsWith('trusted.')) return;
  try {
    setXattr(path, name, value);
  } catch (error) {
    if (!hasErrno(error, 'EOPNOTSUPP')) throw error;
  }
}

/** The same for files that must not be opened: referred to without opening. */
export function ownName(folder: number, name: string, header: TarHeader): void {
  withFd(openName(folder, name), (fd) => own(atFd(fd), header));
}

/** A FIFO or a device in an open directory, with owner, mode and attributes. */
export function makeSpecial(folder: number, name: string, header: TarHeader): void {
  const path = `${atFd(folder)}/${name}`;
  if (header.type === 'fifo') makeFifo(path);
  else makeDevice(path, header.type === 'block-device' ? 'block' : 'character', header.devmajor, header.devminor);
  ownName(folder, name, header);
}
