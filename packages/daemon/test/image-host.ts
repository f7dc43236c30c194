/** For tests of images: the image service on a real containerd, and custom archives. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type ArchiveLimits, systemClock } from '@netyard/core';
import {
  type ContainerRecord,
  createImageService,
  type EngineEvent,
  type ImageContent,
  type ImageRecord,
  type Images,
  type Progress,
} from '@netyard/engine';
import { openImageContent, openRegistry, openRootFilesystems } from '@netyard/runtime';
import { pack } from 'tar-stream';
import { type PrivateContainerd, startContainerd } from './private-containerd.ts';

export interface ImageHost extends AsyncDisposable {
  containerd: PrivateContainerd;
  content: ImageContent;
  images: Images;
  events: Omit<EngineEvent, 'time'>[];
  containers: ContainerRecord[];
  /** Read for each archive: a test may change them. */
  limits: Partial<ArchiveLimits>;
  rootfs: ReturnType<typeof openRootFilesystems>;
  dataRoot: string;
  /** The first steps of a starting daemon. */
  reopen(): Promise<unknown>;
  /** Everything stored for images: blobs, layers, records, temporary directories. */
  leftovers(): Promise<{ blobs: number; layers: number; records: number; folders: string[] }>;
}

export async function startImageHost(): Promise<ImageHost> {
  const containerd = await startContainerd();
  const dataRoot = containerd.folder;
  const limits: Partial<ArchiveLimits> = {};
  const content = await openImageContent({ containerd: containerd.client, dataRoot, archiveLimits: limits });
  const records = new Map<string, ImageRecord>();
  const intents = new Set<string>();
  const events: ImageHost['events'] = [];
  const containers: ContainerRecord[] = [];
  const images = createImageService({
    store: {
      images: () => [...records.values()],
      putImage: (record) => void records.set(record.id, record),
      deleteImage: (id) => void records.delete(id),
      contentIntents: () => [...intents],
      putContentIntent: (name) => void intents.add(name),
      deleteContentIntent: (name) => void intents.delete(name),
    },
    content,
    registry: openRegistry({ certificates: join(dataRoot, 'certs'), retryDelay: 1 }),
    events: { publish: (event) => void events.push(event) },
    containers: () => containers,
    archiveLimits: limits,
    clock: systemClock,
  });
  return {
    containerd,
    content,
    images,
    events,
    containers,
    limits,
    rootfs: openRootFilesystems({ dataRoot }),
    dataRoot,
    reopen: () => openImageContent({ containerd: containerd.client, dataRoot }),
    async leftovers() {
      const blobs = await content.listBlobs();
      const layers = await content.listLayers();
      const folders = readdirSync(join(dataRoot, 'overlay/temporary'));
      return { blobs: blobs.length, layers: layers.length, records: records.size, folders };
    },
    [Symbol.asyncDispose]: () => containerd[Symbol.asyncDispose](),
  };
}

export const nothing = { blobs: 0, layers: 0, records: 0, folders: [] };

/** Removes all images, and checks that nothing of them is left. */
export async function removeAllImages({ images, leftovers }: ImageHost): Promise<void> {
  for (const { record } of await images.list({ all: true, digests: false, filters: new Map() }))
    await images.remove(record.id, { force: true, noPrune: false });
  assert.deepEqual(await leftovers(), nothing);
}

export async function collect(lines: AsyncIterable<Progress>): Promise<Progress[]> {
  const all: Progress[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

/** What `docker load` prints. */
export async function load(host: ImageHost, archive: Uint8Array): Promise<string> {
  const lines = await collect(host.images.load(Readable.from([archive]), { quiet: true }));
  return lines.map(({ stream = '' }) => stream).join('');
}

export type Member = Parameters<ReturnType<typeof pack>['entry']>[0] & { body?: string | Uint8Array };

export const file = (name: string, body = name): Member => ({ name, body });

/** A character device that no container has: the memory. */
export const device = { type: 'character-device', devmajor: 1, devminor: 1 } as const;

/** A tar archive of these members. */
export async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const archive = pack();
  for (const { body, ...header } of members) {
    if (body === undefined) archive.entry(header);
    else archive.entry(header, body);
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export const goodLayer = (): Promise<Buffer> => tarOf([file('good')]);

export const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

export interface ArchiveParts {
  tags?: string[];
  /** Uncompressed tars, lowest first. */
  layers: Uint8Array[];
  /** The stored form of the layers; the same by default. */
  stored?: Uint8Array[];
  diffIds?: string[];
  config?: Record<string, unknown>;
}

/** The members of an archive as `docker save` wrote it before version 25. */
export function dockerArchive({ tags = [], layers, stored = layers, diffIds, config = {} }: ArchiveParts): Member[] {
  const json = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-02T03:04:05.123456789Z',
    config,
    rootfs: { type: 'layers', diff_ids: diffIds ?? layers.map((layer) => `sha256:${sha256(layer)}`) },
    history: layers.map((_, index) => ({ created: '2026-01-02T03:04:05Z', created_by: `step ${index}` })),
  });
  const paths = layers.map((layer, index) => `${index}-${sha256(layer)}/layer.tar`);
  const manifest = [{ Config: `${sha256(json)}.json`, RepoTags: tags, Layers: paths }];
  return [
    ...stored.map((body, index) => ({ name: paths[index] ?? '', body })),
    { name: `${sha256(json)}.json`, body: json },
    { name: 'manifest.json', body: JSON.stringify(manifest) },
  ];
}
