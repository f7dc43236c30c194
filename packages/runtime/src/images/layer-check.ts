/**
 * Checks the entries of a layer before they are unpacked. Names that lead out of the layer, devices that containers may
 * not open, and the attributes by which overlayfs marks directories are rejected, as Docker rejects names and links that
 * lead out.
 */
import { memberPath, NetyardError, type TarHeader } from '@netyard/core';

/** Throws `invalid` for an entry that may not be unpacked. Pure. */
export function checkLayerEntry(header: TarHeader): void {
  const member = memberPath(header.name);
  if (member === undefined) throw refused(`"${header.name}" leads out of the layer`);
  const forbidden = [...header.xattrs.keys()].find((name) => /^(?:trusted|user)\.overlay\./.test(name));
  if (forbidden !== undefined)
    throw refused(`"${header.name}" has the attribute ${forbidden}, which is reserved for overlayfs`);
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
    case 'directory':
    case 'fifo':
      return;
    case 'symlink':
      checkSymlink(member, header);
      return;
    case 'link':
      if (memberPath(header.linkname) !== undefined) return;
      throw refused(`invalid hardlink "${header.name}" -> "${header.linkname}"`);
    case 'character-device':
    case 'block-device':
      if (isHarmlessDevice(header)) return;
      throw refused(`"${header.name}" is a device (${deviceText(header)}) that containers may not open`);
    default:
      throw refused(`"${header.name}" has an unsupported type`);
  }
}

/** An absolute target is resolved inside the container; a relative one must not climb above the top. */
function checkSymlink(member: string, header: TarHeader): void {
  const target = header.linkname;
  if (target.startsWith('/')) return;
  const folder = member.split('/').slice(0, -1).join('/');
  if (memberPath(`${folder}/${target}`) === undefined) throw refused(`invalid symlink "${header.name}" -> "${target}"`);
}

/** Devices that containers may open by default, and terminals, of which old images have nodes. */
function isHarmlessDevice({ type, devmajor, devminor }: TarHeader): boolean {
  if (type !== 'character-device') return false;
  const memory = [3, 5, 7, 8, 9, 11]; // null, zero, full, random, urandom, kmsg
  if (devmajor === 1) return memory.includes(devminor);
  if (devmajor === 10) return devminor === 200 || devminor === 229; // tun, fuse
  return devmajor === 4 || devmajor === 5 || devmajor === 136;
}

const deviceText = ({ type, devmajor, devminor }: TarHeader): string =>
  `${type === 'block-device' ? 'b' : 'c'} ${devmajor}:${devminor}`;

export const refused = (reason: string): NetyardError => new NetyardError('invalid', `invalid layer: ${reason}`);
