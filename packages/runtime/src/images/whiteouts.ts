/**
 * Marks of deletions: as overlayfs has them in an upper directory (linux/Documentation/filesystems/overlayfs.rst) and as
 * image layers have them (OCI image-spec, layer.md).
 */
import { fstatSync } from 'node:fs';
import { encodeHeader, NetyardError, type TarHeader, tarHeader } from '@netyard/core';
import { getXattr } from '@netyard/kernel';
import { atFd } from '../rootfs/root-paths.ts';

const prefix = '.wh.';

/** A character device 0/0: the name is deleted. */
export function isWhiteout(held: number): boolean {
  const stat = fstatSync(held);
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/** The directory hides the one below. */
export function isOpaque(held: number): boolean {
  const value = getXattr(atFd(held), 'trusted.overlay.opaque');
  return value !== undefined && Buffer.from(value).toString() === 'y';
}

/** @param folder the path of its directory, with a slash at the end; '' for the top */
export const whiteoutEntry = (folder: string, name: string, held: number): Buffer =>
  encodeHeader(emptyFile(`${folder}${prefix}${name}`, fstatSync(held, { bigint: true }).mtimeNs));

export const opaqueEntry = (folder: string): Buffer => encodeHeader(emptyFile(`${folder}/${prefix}${prefix}.opq`, 0n));

/** What an entry of a layer means for a name beside it; `ignored`: metadata of aufs. */
export type Mark = { kind: 'none' | 'ignored' | 'opaque' } | { kind: 'whiteout'; name: string };

/** Throws `invalid` for a mark without a name. Pure. */
export function readMark(member: string): Mark {
  const name = member.slice(member.lastIndexOf('/') + 1);
  if (name === `${prefix}${prefix}.opq`) return { kind: 'opaque' };
  if (name.startsWith(prefix + prefix) || member.startsWith(prefix + prefix)) return { kind: 'ignored' };
  if (!name.startsWith(prefix)) return { kind: 'none' };
  const removed = name.slice(prefix.length);
  if (!['', '.', '..'].includes(removed)) return { kind: 'whiteout', name: removed };
  throw new NetyardError('invalid', `invalid layer: "${member}" marks no name as deleted`);
}

const emptyFile = (name: string, mtime: bigint): TarHeader => tarHeader({ name, mode: 0o600, mtime });

/**
 * Throws for a file or directory whose content overlayfs looks up elsewhere: it is not in the upper directory. Netyard's
 * mounts request neither, but a kernel can have them as defaults.
 */
export function checkUpperXattr(attribute: string, path: string): void {
  const feature = { 'trusted.overlay.redirect': 'redirect_dir', 'trusted.overlay.metacopy': 'metacopy' }[attribute];
  if (feature === undefined) return;
  throw new NetyardError(
    'failed',
    `${path} was changed with overlayfs' feature ${feature}, which layers cannot express`,
    {
      hint: `set the parameter ${feature} of the kernel module overlay to N, and create the container again`,
    },
  );
}
