/**
 * The outer tar of an image archive: its entries are written to the content store one by one as they arrive, so that
 * neither the archive nor a layer is ever held in memory. Only small metadata files are. All content is untrusted.
 */
import {
  ArchiveLimitError,
  type ArchiveLimits,
  ArchiveMeter,
  decompress,
  defaultArchiveLimits,
  detectCompression,
  NetyardError,
  peek,
  type TarEntry,
  tarEntries,
} from '@netyard/core';
import type { Descriptor } from '../ports.ts';
import type { Adding } from './content-collector.ts';
import { longestJson } from './json.ts';
import { mediaTypes } from './manifest.ts';

/** An entry of the archive, by path. */
type ArchiveFile =
  | { kind: 'blob'; blob: Descriptor }
  | { kind: 'text'; bytes: Uint8Array }
  | { kind: 'link'; to: string };

const described = ['manifest.json', 'index.json', 'oci-layout', 'repositories'];
const deepestLinks = 8;

export class ArchiveFiles {
  readonly #files = new Map<string, ArchiveFile>();
  readonly #maximumFiles: number;

  private constructor(maximumFiles: number) {
    this.#maximumFiles = maximumFiles;
  }

  /** Reads the whole archive. Throws `invalid`; the ledger then removes what was written. */
  static async read(
    archive: AsyncIterable<Uint8Array>,
    adding: Adding,
    limits: Partial<ArchiveLimits> = {},
  ): Promise<ArchiveFiles> {
    const files = new ArchiveFiles(limits.imageFiles ?? defaultArchiveLimits.imageFiles);
    const meter = new ArchiveMeter(limits);
    const { stream } = await decompress(archive, meter);
    for await (const entry of tarEntries(stream, meter)) await files.#add(entry, adding);
    return files;
  }

  async #add(entry: TarEntry, adding: Adding): Promise<void> {
    const { header } = entry;
    const path = memberPath(header.name);
    if (header.type === 'directory' || path === '') return;
    if (this.#files.has(path)) throw refused(`duplicate entry "${header.name}"`);
    if (this.#files.size >= this.#maximumFiles) {
      throw new ArchiveLimitError(`it has more than ${this.#maximumFiles} files`, 'max-image-archive-files');
    }
    this.#files.set(path, await readEntry(path, entry, adding));
  }

  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  /** The bytes of a metadata file. Throws `invalid` when it is missing. */
  text(path: string): Uint8Array {
    const file = this.#find(path);
    if (file?.kind === 'text') return file.bytes;
    throw refused(`it has no ${path}`);
  }

  blob(path: string): Descriptor {
    const file = this.#find(path);
    if (file?.kind === 'blob') return file.blob;
    throw refused(`it has no ${path}`);
  }

  /** Follows links inside the archive. */
  #find(path: string): ArchiveFile | undefined {
    let file = this.#files.get(memberPath(path));
    for (let depth = 0; file?.kind === 'link'; depth += 1) {
      if (depth >= deepestLinks) throw refused(`"${path}" is a chain of links`);
      file = this.#files.get(file.to);
    }
    return file;
  }
}

async function readEntry(path: string, entry: TarEntry, adding: Adding): Promise<ArchiveFile> {
  const { header } = entry;
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      if (described.includes(path)) return { kind: 'text', bytes: await readText(path, entry) };
      return { kind: 'blob', blob: await writeBlob(path, entry, adding) };
    case 'symlink':
      return { kind: 'link', to: linkTarget(path, header.linkname) };
    case 'link':
      return { kind: 'link', to: memberPath(header.linkname) };
    default:
      throw refused(`"${header.name}" is neither a file nor a directory`);
  }
}

async function readText(path: string, entry: TarEntry): Promise<Uint8Array> {
  if (entry.header.size > longestJson) throw refused(`${path} is larger than ${longestJson} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A file in `blobs/sha256` must match the digest in its name. */
async function writeBlob(path: string, entry: TarEntry, adding: Adding): Promise<Descriptor> {
  const digest = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  const { head, stream } = await peek(entry.body);
  const expected = {
    mediaType: layerTypeOf(head),
    size: entry.header.size,
    ...(digest === undefined ? {} : { digest: `sha256:${digest}` }),
  };
  return await adding.write(expected, stream);
}

/** The media type of a layer, derived from its first bytes, as archives do not record it. */
function layerTypeOf(head: Uint8Array): string {
  const compression = detectCompression(head);
  if (compression === 'gzip') return mediaTypes.dockerLayerGzip;
  return compression === 'zstd' ? mediaTypes.ociLayerZstd : mediaTypes.dockerLayer;
}

function memberPath(name: string): string {
  const parts: string[] = [];
  if (name.startsWith('/')) throw refused(`"${name}" is an absolute path`);
  for (const part of name.split('/')) {
    if (part === '..') throw refused(`"${name}" leads out of the archive`);
    if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/**
 * The target of a symbolic link, as a path of the archive: Docker's older archives refer to a shared layer that way.
 */
function linkTarget(path: string, target: string): string {
  const parts = path.split('/').slice(0, -1);
  const invalid = (): NetyardError => refused(`invalid symlink "${path}" -> "${target}"`);
  if (target.startsWith('/')) throw invalid();
  for (const part of target.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) throw invalid();
    } else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const refused = (reason: string): NetyardError => new NetyardError('invalid', `invalid archive: ${reason}`);
