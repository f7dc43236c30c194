/** `docker pull`: fetches the manifest, then the missing blobs, a few at a time, then unpacks the layers in order. */
import { ArchiveLimitError, type ArchiveLimits, defaultArchiveLimits, NetyardError } from '@netyard/core';
import type { Platform } from '../contract.ts';
import type { ImageRecord } from '../model.ts';
import type {
  Descriptor,
  ImageContent,
  ImageStore,
  Registry,
  RegistryCredentials,
  RegistryReference,
} from '../ports.ts';
import type { Adding, ContentCollector } from './content-collector.ts';
import { checkBlobDigest, shortDigest } from './digest.ts';
import { parseImageConfig } from './image-config.ts';
import type { ImageNames } from './image-names.ts';
import { layersOf, newImageRecord } from './image-record.ts';
import { longestJson } from './json.ts';
import { checkManifest, isIndexType, type Manifest, parseIndex, parseManifest, pickPlatform } from './manifest.ts';
import { formatPlatform, isPlatformOf, platformMismatch } from './platform.ts';
import { counted, type Report } from './progress.ts';
import {
  familiarName,
  familiarString,
  type ImageReference,
  isDigest,
  parseReference,
  referenceOf,
} from './reference.ts';
import { withRegistryErrors } from './registry-errors.ts';
import { TaskPool } from './task-pool.ts';

export interface PullParts {
  store: ImageStore;
  content: ImageContent;
  ledger: ContentCollector;
  names: ImageNames;
  registry: Registry;
  platform: Platform;
  archiveLimits?: Partial<ArchiveLimits>;
}

export interface TransferRequest {
  /** Name with or without tag or digest. */
  image: string;
  /** Tag or digest; '' when it is in the name, or for `latest`. */
  tag: string;
  credentials: RegistryCredentials;
  signal: AbortSignal;
  /** Undefined: of a pull this machine's, of a push any. */
  platform?: Platform;
}

/** Docker's limit for one pull. */
const parallelDownloads = 3;

/** Leaves nothing behind when aborted or failed. */
export async function pullImage(parts: PullParts, request: TransferRequest, report: Report): Promise<void> {
  const reference = pulledReference(request.image, request.tag);
  const name = familiarName(reference);
  const shown = familiarString(reference);
  await withRegistryErrors('pull', reference, async () => {
    const remote = registryReference(reference);
    if (reference.digest !== undefined) checkBlobDigest('manifest', reference.digest);
    const resolved = await parts.registry.resolve(remote, request.credentials, request.signal);
    report({ id: reference.digest ?? reference.tag ?? '', status: `Pulling from ${reference.path}` });
    const before = parts.names.holder(reference.digest === undefined ? shown : `${name}@${resolved.digest}`);
    const platform = request.platform ?? parts.platform;
    const pulled = await parts.ledger.adding(async (adding) => {
      const manifest = await chooseManifest(parts, remote, request, resolved, platform);
      const record = parts.names.put(await fetchImage({ parts, request, remote, adding, report }, manifest));
      parts.names.addDigest(record.id, `${name}@${resolved.digest}`);
      if (reference.digest === undefined && before?.id !== record.id) parts.names.assignTag(record.id, shown);
      return record;
    });
    parts.names.emit('pull', shown, name);
    const news = before?.id === pulled.id ? 'Image is up to date for' : 'Downloaded newer image for';
    if (request.platform && !isPlatformOf(pulled, request.platform)) {
      report({ status: `WARNING: ${platformMismatch(shown, pulled, request.platform).message}` });
    }
    report({ status: `Digest: ${resolved.digest}` });
    report({ status: `Status: ${news} ${shown}` });
  });
}

/** `tag` may be a digest, as in the API. A digest overrides a tag. */
export function pulledReference(image: string, tag: string): ImageReference {
  const parsed = isDigest(tag) ? parseReference(`${image}@${tag}`) : parseReference(image);
  if (parsed.digest !== undefined) return { ...parsed, tag: undefined };
  return parsed.tag === undefined || tag !== '' ? referenceOf(image, tag) : parsed;
}

export function registryReference(reference: ImageReference): RegistryReference {
  return {
    domain: reference.domain,
    path: reference.path,
    reference: reference.digest ?? reference.tag ?? 'latest',
  };
}

/** Docker's texts for images of another operating system. Those of an archive have a text of their own. */
const unsupported = 'operating system is not supported';
const describeForeignSystem = (os: string): string =>
  `image operating system "${os}" cannot be used on this platform: ${unsupported}`;

/** From an index, chooses the manifest for the platform. */
async function chooseManifest(
  parts: PullParts,
  remote: RegistryReference,
  { credentials, signal }: TransferRequest,
  resolved: Descriptor & { body: Uint8Array },
  platform: Platform,
): Promise<Manifest> {
  let current = resolved;
  for (let depth = 0; isIndexType(current.mediaType); depth += 1) {
    const picked = depth < 3 ? pickPlatform(parseIndex(current.body), platform) : undefined;
    if (!picked)
      throw new NetyardError(
        'not-found',
        `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
      );
    checkBlobDigest('manifest', picked.digest);
    current = await parts.registry.fetchManifest({ ...remote, reference: picked.digest }, credentials, signal);
  }
  if (platform.os !== 'linux') throw new NetyardError('invalid', unsupported);
  const manifest = parseManifest(current.body);
  checkManifest(manifest, current.mediaType);
  return manifest;
}

/** Does not fetch a layer that is larger than its unpacked size may be. */
function checkDownloadSize({ digest, size }: Descriptor, limits: Partial<ArchiveLimits> = {}): void {
  const { bytes } = { ...defaultArchiveLimits, ...limits };
  if (size > bytes) {
    throw new ArchiveLimitError(`the layer ${digest} has ${size} bytes, more than ${bytes}`, 'max-archive-size');
  }
}

interface Fetching {
  parts: PullParts;
  request: TransferRequest;
  remote: RegistryReference;
  adding: Adding;
  report: Report;
}

async function fetchImage(fetching: Fetching, manifest: Manifest): Promise<ImageRecord> {
  const { parts, adding, report } = fetching;
  if (manifest.config.size > longestJson) {
    const { size } = manifest.config;
    throw new NetyardError('invalid', `the image's configuration has ${size} bytes, more than ${longestJson}`);
  }
  await fetchBlob(fetching, manifest.config, () => undefined);
  const config = parseImageConfig(
    await parts.content.readAll(manifest.config.digest, longestJson),
    describeForeignSystem,
  );
  const layers = layersOf(config, manifest.layers);
  for (const layer of layers) checkDownloadSize(layer, parts.archiveLimits);
  const downloads = startDownloads(fetching, layers);
  try {
    for (const [index, layer] of layers.entries()) {
      const id = shortDigest(layer.digest);
      if ((await downloads.wait(index)) === 'present') continue;
      report({ id, status: 'Extracting', current: 0, total: layer.size });
      const parents = layers.slice(0, index).map(({ chainId }) => chainId);
      await adding.unpack(layer, parents, layer.chainId);
      report({ id, status: 'Extracting', current: layer.size, total: layer.size });
      report({ id, status: 'Pull complete' });
      fetching.request.signal.throwIfAborted();
    }
  } finally {
    await downloads.stop();
  }
  const sizes = await Promise.all(layers.map(({ chainId }) => parts.content.layerSize(chainId)));
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  return newImageRecord({ id: manifest.config.digest, config, layers, size });
}

type Fetched = 'present' | 'fetched';

/** Queues all downloads at once, runs a few at a time; fetches each blob once, even if several missing layers use it. */
function startDownloads(
  fetching: Fetching,
  layers: readonly (Descriptor & { chainId: string })[],
): { wait(index: number): Promise<Fetched>; stop(): Promise<void> } {
  const pool = new TaskPool(parallelDownloads, fetching.request.signal);
  const blobs = new Map<string, Promise<'fetched'>>();
  for (const layer of layers) {
    const id = shortDigest(layer.digest);
    if (!blobs.has(layer.digest)) fetching.report({ id, status: 'Pulling fs layer' });
  }
  const running = layers.map(async (layer): Promise<Fetched> => {
    if (await isPresent(fetching, layer)) return 'present';
    const blob = blobs.get(layer.digest) ?? pool.run((signal) => fetchLayer(fetching, layer, signal));
    blobs.set(layer.digest, blob);
    return await blob;
  });
  for (const promise of running) promise.catch(() => undefined); // its awaiter gets the error
  return {
    wait: async (index) => (await running[index]) ?? 'fetched',
    stop: () => pool.stop(),
  };
}

async function fetchLayer(fetching: Fetching, layer: Descriptor, signal: AbortSignal): Promise<'fetched'> {
  const { report } = fetching;
  const id = shortDigest(layer.digest);
  const reportStep = (current: number) => report({ id, status: 'Downloading', current, total: layer.size });
  await fetchBlob({ ...fetching, request: { ...fetching.request, signal } }, layer, reportStep);
  report({ id, status: 'Verifying Checksum' });
  report({ id, status: 'Download complete' });
  return 'fetched';
}

/** A layer that was deleted or damaged by another program is fetched again, like one that no image has. */
async function isPresent({ parts, report }: Fetching, layer: Descriptor & { chainId: string }): Promise<boolean> {
  const isHere = isKnown(parts.store.images(), layer) && (await parts.content.hasLayer(layer.chainId));
  if (isHere) report({ id: shortDigest(layer.digest), status: 'Already exists' });
  return isHere;
}

/** Whether a local image has this layer from this very blob; the layer alone does not verify the blob. */
function isKnown(images: readonly ImageRecord[], layer: { digest: string; chainId: string }): boolean {
  return images.some(({ layers }) =>
    layers.some(({ digest, chainId }) => digest === layer.digest && chainId === layer.chainId),
  );
}

async function fetchBlob(fetching: Fetching, blob: Descriptor, reportStep: (bytes: number) => unknown): Promise<void> {
  const { parts, request, remote, adding } = fetching;
  if (await parts.content.has(blob.digest)) return;
  const stream = parts.registry.fetchBlob(remote, blob.digest, request.credentials, request.signal);
  await adding.write(blob, counted(stream, reportStep));
}
