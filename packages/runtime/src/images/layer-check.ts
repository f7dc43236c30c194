/**
 * Checks a layer before it is unpacked: determines its diff id and size, and whether every entry may be unpacked.
 * containerd, which unpacks it, keeps names inside the layer's directory by itself, but interprets `../` as the top,
 * creates any device, and sets the attributes by which overlayfs marks directories; such layers are rejected here, as
 * Docker rejects names and links that lead out.
 */
import { createHash } from 'node:crypto';
import {
  type ArchiveLimits,
  ArchiveMeter,
  decompress,
  memberPath,
  NetyardError,
  type TarHeader,
  tarEntries,
} from '@netyard/core';
import { type SparseFile, SparseFiles } from './layer-holes.ts';

export interface LayerReport {
  /** Digest of the uncompressed tar. */
  diffId: string;
  /** Bytes of all files in it. */
  size: number;
  sparse: readonly SparseFile[];
}

/**
 * Reads to the end. Throws `invalid`, naming the entry or the limit.
 * @param mostBytes limit for all its files together, including holes: unpacking writes holes out first
 */
export async function inspectLayer(
  stream: AsyncIterable<Uint8Array>,
  mostBytes = Number.MAX_SAFE_INTEGER,
  limits: Partial<ArchiveLimits> = {},
): Promise<LayerReport> {
  const meter = new ArchiveMeter(limits);
  const { stream: plain } = await decompress(stream, meter);
  const hash = createHash('sha256');
  const sparse = new SparseFiles();
  let size = 0;
  for await (const entry of tarEntries(hashed(plain, hash), meter)) {
    checkLayerEntry(entry.header);
    sparse.add(entry.header);
    size += entry.header.size;
    if (size > mostBytes) throw refused(`its files have more than the ${mostBytes} bytes that are free on the disk`);
  }
  return { diffId: `sha256:${hash.digest('hex')}`, size, sparse: sparse.files };
}

async function* hashed(
  stream: AsyncIterable<Uint8Array>,
  hash: { update(data: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    hash.update(chunk);
    yield chunk;
  }
}

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

const refused = (reason: string): NetyardError => new NetyardError('invalid', `invalid layer: ${reason}`);
