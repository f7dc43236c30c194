/** Owner, mode and attributes of an unpacked entry, and the creation of nodes. */
import { chmodSync, chownSync } from 'node:fs';
import type { TarHeader } from '@netyard/core';
import { hasErrno, makeDevice, makeFifo, setXattr } from '@netyard/kernel';
import { atFd, openName, withFd } from '../rootfs/root-paths.ts';

/** Owner before mode: changing the owner clears the set-user-id bit. `path` is the path of a descriptor. */
export function own(path: string, { uid, gid, mode, xattrs }: TarHeader): void {
  chownSync(path, uid, gid);
  chmodSync(path, mode & 0o7777);
  setXattrs(path, xattrs);
}

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
