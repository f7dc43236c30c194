/**
 * `docker push`: uploads the blobs that the registry lacks, the configuration, and a manifest of them, for each tag.
 */
import { NetyardError } from '@netyard/core';
import type { ImageLayer, ImageRecord } from '../model.ts';
import type { Descriptor, RegistryReference } from '../ports.ts';
import { shortDigest } from './digest.ts';
import { Compressor } from './gzip.ts';
import { longestJson } from './json.ts';
import { encodeManifest, mediaTypes } from './manifest.ts';
import { isPlatformOf, platformMismatch } from './platform.ts';
import { counted, type Report } from './progress.ts';
import { type PullParts, registryReference, type TransferRequest } from './pull.ts';
import { canonicalName, familiarName, familiarString, type ImageReference, parseReference } from './reference.ts';
import { withRegistryErrors } from './registry-errors.ts';
import { TaskPool } from './task-pool.ts';

/** Docker's limit for one push. */
const parallelUploads = 5;

export async function pushImage(parts: PullParts, request: TransferRequest, report: Report): Promise<void> {
  const repository = parseReference(request.image);
  if (repository.digest !== undefined) throw new NetyardError('invalid', 'cannot push a digest reference');
  // As in Docker, reported for images that do not exist locally as well.
  report({ status: `The push refers to repository [${canonicalName(repository)}]` });
  for (const { record, reference } of chooseTags(parts, repository, request.tag)) {
    if (request.platform && !isPlatformOf(record, request.platform)) {
      throw platformMismatch(familiarString(reference), record, request.platform);
    }
    await withRegistryErrors('push', reference, () =>
      // Nothing of the image is removed meanwhile.
      parts.ledger.adding(() => pushOne({ compressor: new Compressor(), parts, request, report, record, reference })),
    );
  }
}

interface Pushed {
  record: ImageRecord;
  reference: ImageReference;
}

/** One tag, or without a tag all local tags of the repository. */
function chooseTags(parts: PullParts, repository: ImageReference, tag: string): Pushed[] {
  const name = familiarName(repository);
  const requested = repository.tag ?? (tag === '' ? undefined : tag);
  const all = parts.store
    .images()
    .flatMap((record) =>
      record.tags
        .map((each) => ({ record, reference: parseReference(each) }))
        .filter(({ reference }) => familiarName(reference) === name),
    );
  if (all.length === 0) {
    throw new NetyardError('not-found', `An image does not exist locally with the tag: ${name}`);
  }
  const chosen = all.filter(({ reference }) => requested === undefined || reference.tag === requested);
  if (chosen.length > 0) return chosen;
  throw new NetyardError('not-found', `tag does not exist: ${name}:${requested}`);
}

interface Pushing extends Pushed {
  compressor: Compressor;
  parts: PullParts;
  request: TransferRequest;
  report: Report;
}

async function pushOne(pushing: Pushing): Promise<void> {
  const { parts, request, report, record, reference } = pushing;
  const remote = registryReference(reference);
  for (const layer of record.layers) report({ id: shortDigest(layer.diffId), status: 'Preparing' });
  const layers = await pushLayers(pushing, remote);
  const config = await parts.content.readAll(record.configDigest, longestJson);
  const configBlob = { mediaType: mediaTypes.dockerConfig, digest: record.configDigest, size: config.length };
  const { credentials, signal } = request;
  if (!(await parts.registry.hasBlob(remote, record.configDigest, credentials, signal))) {
    await parts.registry.pushBlob(remote, configBlob, oneChunk(config), credentials, signal);
  }
  const manifest = encodeManifest({ config: configBlob, layers });
  const { digest } = await parts.registry.pushManifest(remote, manifest.mediaType, manifest.body, credentials, signal);
  parts.names.addDigest(record.id, `${familiarName(reference)}@${digest}`);
  parts.names.emit('push', familiarString(reference), familiarName(reference));
  const tag = reference.tag ?? '';
  report({ status: `${tag}: digest: ${digest} size: ${manifest.size}` });
  report({ aux: { Tag: tag, Digest: digest, Size: manifest.size } });
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function pushLayers(pushing: Pushing, remote: RegistryReference): Promise<Descriptor[]> {
  const pool = new TaskPool(parallelUploads, pushing.request.signal);
  try {
    return await Promise.all(
      pushing.record.layers.map((layer) => pool.run((signal) => pushLayer(pushing, remote, layer, signal))),
    );
  } finally {
    await pool.stop();
  }
}

async function pushLayer(
  pushing: Pushing,
  remote: RegistryReference,
  layer: ImageLayer,
  signal: AbortSignal,
): Promise<Descriptor> {
  const { content } = pushing.parts;
  if (!plainTypes.includes(layer.mediaType)) {
    const { digest, size, mediaType } = layer;
    return await pushBlob(pushing, remote, layer, { digest, size, mediaType }, content.read(digest), signal);
  }
  return await pushCompressed(pushing, remote, layer, signal);
}

/** The same layer yields the same bytes, whose digest is known at their end only, or from an earlier push. */
async function pushCompressed(
  { compressor, parts: { content, registry }, request: { credentials }, report }: Pushing,
  remote: RegistryReference,
  { digest, diffId, size }: ImageLayer,
  signal: AbortSignal,
): Promise<Descriptor> {
  const mediaType = mediaTypes.dockerLayerGzip;
  const id = shortDigest(diffId);
  const known = await content.compressed(digest);
  if (known && (await registry.hasBlob(remote, known.digest, credentials, signal))) {
    report({ id, status: 'Layer already exists' });
    return { ...known, mediaType };
  }
  const reportStep = (current: number) => report({ id, status: 'Pushing', current, total: size });
  const archive = counted(content.read(digest, true), reportStep);
  const pushed = await registry.pushStream(remote, compressor.members(archive), credentials, signal);
  await content.recordCompressed(digest, pushed);
  report({ id, status: 'Pushed' });
  return { ...pushed, mediaType };
}

const plainTypes: string[] = [mediaTypes.dockerLayer, mediaTypes.ociLayer];

/** @param bytes not read if the registry has the blob */
async function pushBlob(
  { parts, request, report }: Pushing,
  remote: RegistryReference,
  layer: ImageLayer,
  blob: Descriptor,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Descriptor> {
  const id = shortDigest(layer.diffId);
  if (await parts.registry.hasBlob(remote, blob.digest, request.credentials, signal)) {
    report({ id, status: 'Layer already exists' });
    return blob;
  }
  const reportStep = (current: number) => report({ id, status: 'Pushing', current, total: blob.size });
  await parts.registry.pushBlob(remote, blob, counted(bytes, reportStep), request.credentials, signal);
  report({ id, status: 'Pushed' });
  return blob;
}
