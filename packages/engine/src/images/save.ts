/** `docker save`: one archive that is both Docker's format and an OCI layout, as Docker writes it since 25. */
import { Readable } from 'node:stream';
import { NetyardError } from '@netyard/core';
import { pack } from 'tar-stream';
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

/** A name without tag saves all tags of that name; an id saves the image without names. Throws as `findImage`. */
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

/** The archive as a stream; blobs that images share are in it once. */
export function saveArchive(content: ImageContent, images: readonly SavedImage[]): Readable {
  if (images.length === 0) throw new NetyardError('invalid', 'no images given');
  const archive = pack().on('error', told);
  const output = Readable.from(archive as AsyncIterable<Uint8Array>, { objectMode: false });
  fill(archive, content, images).then(
    () => archive.finalize(),
    (error: Error) => archive.destroy(error),
  );
  return output;
}

type Pack = ReturnType<typeof pack>;

async function fill(archive: Pack, content: ImageContent, images: readonly SavedImage[]): Promise<void> {
  const written = new Set<string>();
  const manifests: Descriptor[] = [];
  const once = async (digest: string, add: (path: string) => Promise<void>): Promise<void> => {
    if (!written.has(digest)) await add(blobPath(digest));
    written.add(digest);
  };
  for (const { record } of images) {
    for (const { digest, size } of record.layers) {
      await once(digest, (path) => addStream(archive, path, size, content.read(digest)));
    }
    const config = await content.readAll(record.configDigest, longestJson);
    await once(record.configDigest, (path) => addFile(archive, path, config));
    const configBlob = { mediaType: mediaTypes.ociConfig, digest: record.configDigest, size: config.length };
    const manifest = encodeManifest({ config: configBlob, layers: record.layers }, 'oci');
    await once(manifest.digest, (path) => addFile(archive, path, manifest.body));
    manifests.push(manifest);
  }
  const files = describe(images, manifests);
  for (const [name, value] of Object.entries(files)) await addFile(archive, name, Buffer.from(JSON.stringify(value)));
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

/** Failures end the whole archive, and are told there; without a listener they would end the process. */
const told = (): void => undefined;

const plainFile = { mtime: new Date(0), mode: 0o644 };

async function addFile(archive: Pack, name: string, body: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const end = (error?: Error | null): void => (error ? reject(error) : resolve());
    archive.entry({ ...plainFile, name }, Buffer.from(body), end).on('error', told);
  });
}

/** Reads no faster than the archive is fetched. */
async function addStream(archive: Pack, name: string, size: number, body: AsyncIterable<Uint8Array>): Promise<void> {
  const done = Promise.withResolvers<void>();
  const sink = archive.entry({ ...plainFile, name, size }, (error) => (error ? done.reject(error) : done.resolve()));
  done.promise.catch(() => undefined); // also when the body fails first
  let wake = (): void => undefined;
  sink.on('error', told);
  sink.on('drain', () => wake());
  sink.on('close', () => wake());
  for await (const chunk of body) {
    if (sink.destroying) break;
    if (sink.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (sink.destroyed) resolve();
    });
  }
  sink.end(null);
  await done.promise;
}
