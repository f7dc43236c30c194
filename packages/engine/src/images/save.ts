/** `docker save`: writes one archive that is both Docker's format and an OCI layout, as Docker does since 25. */
import { Readable } from 'node:stream';
import { encodeEnd, encodeHeader, encodePadding, NetyardError, tarHeader } from '@netyard/core';
import type { ImageRecord } from '../model.ts';
import type { Descriptor, ImageContent } from '../ports.ts';
import { findImage } from './image-lookup.ts';
import { longestJson } from './json.ts';
import { encodeManifest, mediaTypes } from './manifest.ts';
import { canonicalString, familiarName, parseReference } from './reference.ts';

/** An image and the names it is saved under. */
export interface SavedImage {
  record: ImageRecord;
  tags: string[];
}

/** A name without tag selects all tags of that name; an id selects the image without names. Throws as `findImage`. */
export function chooseImages(images: readonly ImageRecord[], refs: readonly string[]): SavedImage[] {
  const chosen = new Map<string, SavedImage>();
  const add = (record: ImageRecord, tags: readonly string[]): void => {
    const before = chosen.get(record.id)?.tags ?? [];
    chosen.set(record.id, { record, tags: [...new Set([...before, ...tags])] });
  };
  for (const ref of refs) {
    const all = namedAll(images, ref);
    for (const { record, tags } of all) add(record, tags);
    if (all.length > 0) continue;
    const { record, name } = findImage(images, ref);
    add(record, name !== undefined && record.tags.includes(name) ? [name] : []);
  }
  return [...chosen.values()];
}

function namedAll(images: readonly ImageRecord[], ref: string): SavedImage[] {
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(ref)) return [];
  const reference = parseReference(ref);
  if (reference.tag !== undefined || reference.digest !== undefined) return [];
  const prefix = `${familiarName(reference)}:`;
  return images
    .map((record) => ({ record, tags: record.tags.filter((tag) => tag.startsWith(prefix)) }))
    .filter(({ tags }) => tags.length > 0);
}

/** The archive as a stream; shared blobs are included once. Reads at the pace of the consumer. */
export function saveArchive(content: ImageContent, images: readonly SavedImage[]): Readable {
  if (images.length === 0) throw new NetyardError('invalid', 'no images given');
  return Readable.from(archiveOf(content, images), { objectMode: false });
}

async function* archiveOf(content: ImageContent, images: readonly SavedImage[]): AsyncGenerator<Uint8Array> {
  const written = new Set<string>();
  const manifests: Descriptor[] = [];
  const isNew = (digest: string): boolean => !written.has(digest) && written.add(digest) !== undefined;
  for (const { record } of images) {
    for (const { digest, size } of record.layers) {
      if (isNew(digest)) yield* blobEntry(blobPath(digest), size, content.read(digest));
    }
    const config = await content.readAll(record.configDigest, longestJson);
    if (isNew(record.configDigest)) yield fileEntry(blobPath(record.configDigest), config);
    const configBlob = { mediaType: mediaTypes.ociConfig, digest: record.configDigest, size: config.length };
    const manifest = encodeManifest({ config: configBlob, layers: record.layers }, 'oci');
    if (isNew(manifest.digest)) yield fileEntry(blobPath(manifest.digest), manifest.body);
    manifests.push(manifest);
  }
  const files = describe(images, manifests);
  for (const [name, value] of Object.entries(files)) yield fileEntry(name, Buffer.from(JSON.stringify(value)));
  yield encodeEnd();
}

function fileEntry(name: string, body: Uint8Array): Buffer {
  return Buffer.concat([encodeHeader(tarHeader({ name, size: body.length })), body, encodePadding(body.length)]);
}

/** Fails when the blob's length differs from its header: all that follows would be misread. */
async function* blobEntry(name: string, size: number, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield encodeHeader(tarHeader({ name, size }));
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    yield chunk;
  }
  if (length !== size) throw new NetyardError('internal', `${name} has ${length} bytes, expected ${size}`);
  yield encodePadding(size);
}

const blobPath = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

function describe(images: readonly SavedImage[], manifests: readonly Descriptor[]): Record<string, unknown> {
  const plain = (index: number): Descriptor => {
    const { mediaType, digest, size } = manifests[index] ?? { mediaType: '', digest: '', size: 0 };
    return { mediaType, digest, size };
  };
  const entries = images.flatMap(({ tags }, index) => {
    if (tags.length === 0) return [plain(index)];
    return tags.map((tag) => ({ ...plain(index), annotations: namesOf(tag) }));
  });
  const repositories: Record<string, Record<string, string>> = {};
  for (const { record, tags } of images) {
    for (const tag of tags) {
      const reference = parseReference(tag);
      const name = familiarName(reference);
      repositories[name] = {
        ...repositories[name],
        [reference.tag ?? '']: record.layers.at(-1)?.digest.slice(7) ?? '',
      };
    }
  }
  return {
    'index.json': { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries },
    'manifest.json': images.map(({ record, tags }) => ({
      Config: blobPath(record.configDigest),
      RepoTags: tags.length === 0 ? null : tags,
      Layers: record.layers.map(({ digest }) => blobPath(digest)),
    })),
    'oci-layout': { imageLayoutVersion: '1.0.0' },
    ...(Object.keys(repositories).length > 0 ? { repositories } : {}),
  };
}

function namesOf(tag: string): Record<string, string> {
  const reference = parseReference(tag);
  return {
    'io.containerd.image.name': canonicalString(reference),
    'org.opencontainers.image.ref.name': reference.tag ?? '',
  };
}
