/** `docker load`: archives written by `docker save` (old and new) and OCI layouts. Loads everything or nothing. */
import { type ArchiveLimits, NetyardError } from '@netyard/core';
import { z } from 'zod';
import type { Platform } from '../contract.ts';
import { goObject } from '../go-object.ts';
import type { ImageLayer, ImageRecord } from '../model.ts';
import type { Descriptor, ImageContent, ImageStore } from '../ports.ts';
import { ArchiveFiles } from './archive-files.ts';
import type { Adding, ContentCollector } from './content-collector.ts';
import { checkBlobDigest, shortDigest } from './digest.ts';
import { parseImageConfig } from './image-config.ts';
import type { ImageNames } from './image-names.ts';
import { layersOf, newImageRecord } from './image-record.ts';
import { longestJson, parseJson } from './json.ts';
import { checkManifest, type IndexEntry, isIndexType, parseIndex, parseManifest, pickPlatform } from './manifest.ts';
import { formatPlatform, isPlatformOf } from './platform.ts';
import type { Report } from './progress.ts';
import { familiarString, parseReference } from './reference.ts';

export interface LoadParts {
  store: ImageStore;
  content: ImageContent;
  ledger: ContentCollector;
  names: ImageNames;
  platform: Platform;
  archiveLimits?: Partial<ArchiveLimits>;
}

/** An image as an archive describes it. Its configuration is read only when it is processed: there may be many. */
interface ArchivedImage {
  configDigest: string;
  layers: Descriptor[];
  tags: string[];
}

const dockerManifest = z
  .array(
    goObject({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).max(125).nullish(),
    }),
  )
  .max(1000);

export async function loadArchive(
  parts: LoadParts,
  archive: AsyncIterable<Uint8Array>,
  report: Report,
  options: { quiet: boolean; platform?: Platform },
): Promise<void> {
  const { platform } = options;
  await parts.ledger.adding(async (adding) => {
    const files = await ArchiveFiles.read(archive, adding, parts.archiveLimits);
    const images = await describeImages(platform ? { ...parts, platform } : parts, files);
    const known = knownLayers(parts);
    const loaded: { record: ImageRecord; tags: string[] }[] = [];
    for (const image of images) {
      const reportStep = options.quiet ? () => undefined : report;
      const record = await addImage(parts, adding, image, known, reportStep);
      if (platform === undefined || isPlatformOf(record, platform)) loaded.push({ record, tags: image.tags });
    }
    if (platform && loaded.length === 0) {
      throw new NetyardError('not-found', `the archive has no image for the platform ${formatPlatform(platform)}`);
    }
    for (const { record, tags } of loaded) nameImage(parts.names, record, tags, report);
  });
}

async function describeImages(parts: LoadParts, files: ArchiveFiles): Promise<ArchivedImage[]> {
  if (files.has('manifest.json')) return describeDockerImages(files);
  if (files.has('index.json')) return await describeLayout(parts, files);
  throw new NetyardError('invalid', 'invalid archive: does not contain a manifest.json');
}

function describeDockerImages(files: ArchiveFiles): ArchivedImage[] {
  const items = parseJson(dockerManifest, files.text('manifest.json'), 'invalid archive: manifest.json');
  return items.map((item) => ({
    configDigest: files.blob(item.Config).digest,
    layers: (item.Layers ?? []).map((path) => files.blob(path)),
    tags: (item.RepoTags ?? []).map(taggedName),
  }));
}

/** Throws `invalid tag` unless it names a tag. */
function taggedName(text: string): string {
  const reference = parseReference(text);
  if (reference.tag === undefined) throw new NetyardError('invalid', `invalid tag "${text}"`);
  return familiarString({ ...reference, digest: undefined });
}

async function describeLayout(parts: LoadParts, files: ArchiveFiles): Promise<ArchivedImage[]> {
  const entries = parseIndex(files.text('index.json'));
  const images = new Map<string, ArchivedImage>();
  for (const entry of entries) {
    const image = await describeManifest(parts, files, entry, 0);
    const known = images.get(image.configDigest) ?? image;
    const name = nameOf(entry);
    images.set(image.configDigest, name === undefined ? known : { ...known, tags: [...known.tags, name] });
  }
  return [...images.values()];
}

/** containerd and Docker write the full name; other tools only a tag, which alone names no image. */
function nameOf(entry: IndexEntry): string | undefined {
  const name = entry.annotations['io.containerd.image.name'] ?? entry.annotations['org.opencontainers.image.ref.name'];
  return name?.includes(':') ? taggedName(name) : undefined;
}

async function describeManifest(
  parts: LoadParts,
  files: ArchiveFiles,
  entry: Descriptor,
  depth: number,
): Promise<ArchivedImage> {
  checkBlobDigest('manifest', entry.digest);
  const blob = (digest: string): Descriptor => files.blob(`blobs/${digest.replace(':', '/')}`);
  const body = await parts.content.readAll(blob(entry.digest).digest, longestJson);
  if (isIndexType(entry.mediaType)) {
    if (depth > 2) throw new NetyardError('invalid', 'invalid archive: indexes in indexes');
    const picked = pickPlatform(parseIndex(body), parts.platform);
    if (!picked) throw new NetyardError('invalid', `invalid archive: no image for ${parts.platform.architecture}`);
    return await describeManifest(parts, files, picked, depth + 1);
  }
  const manifest = parseManifest(body);
  checkManifest(manifest, entry.mediaType);
  return {
    configDigest: blob(manifest.config.digest).digest,
    layers: manifest.layers.map((layer) => ({ ...blob(layer.digest), mediaType: layer.mediaType })),
    tags: [],
  };
}

/**
 * Prepares the image's layers. The record is not stored yet: a later image may be invalid.
 * @param known blobs of layers that are unpacked and verified, by chain id; grows
 */
async function addImage(
  parts: LoadParts,
  adding: Adding,
  image: ArchivedImage,
  known: Map<string, Descriptor>,
  report: Report,
): Promise<ImageRecord> {
  const config = parseImageConfig(await parts.content.readAll(image.configDigest, longestJson));
  const layers = layersOf(config, image.layers);
  for (const [index, layer] of layers.entries()) {
    const parents = layers.slice(0, index).map(({ chainId }) => chainId);
    const blob = (await parts.content.hasLayer(layer.chainId)) ? known.get(layer.chainId) : undefined;
    if (blob === undefined) await unpackLayer(adding, layer, parents, report);
    else layers[index] = { ...layer, ...blob };
    known.set(layer.chainId, { digest: layer.digest, mediaType: layer.mediaType, size: layer.size, ...blob });
  }
  const sizes = await Promise.all(layers.map(({ chainId }) => parts.content.layerSize(chainId)));
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return newImageRecord({ id: image.configDigest, config, layers, size });
}

async function unpackLayer(
  adding: Adding,
  layer: ImageLayer,
  parents: readonly string[],
  report: Report,
): Promise<void> {
  const line = { id: shortDigest(layer.diffId), status: 'Loading layer', total: layer.size };
  report({ ...line, current: 0 });
  await adding.unpack(layer, parents, layer.chainId);
  report({ ...line, current: layer.size });
}

/** Blobs of the layers that local images are based on. */
function knownLayers(parts: LoadParts): Map<string, Descriptor> {
  const layers = parts.store.images().flatMap((image) => image.layers);
  return new Map(layers.map(({ chainId, digest, mediaType, size }) => [chainId, { digest, mediaType, size }]));
}

function nameImage(names: ImageNames, record: ImageRecord, tags: readonly string[], report: Report): void {
  names.put(record);
  for (const tag of tags) {
    const before = names.assignTag(record.id, tag);
    if (before) {
      report({
        stream: `The image ${tag} already exists, renaming the old one with ID ${before.id} to empty string\n`,
      });
    }
    report({ stream: `Loaded image: ${tag}\n` });
  }
  if (tags.length === 0) report({ stream: `Loaded image ID: ${record.id}\n` });
  names.emit('load', record.id, record.id);
}
