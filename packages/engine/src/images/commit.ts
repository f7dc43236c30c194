/** The image part of `docker commit`: a layer on top of an image, with a configuration of its own. */
import { type Clock, formatTime, NetyardError } from '@netyard/core';
import type { ImageConfig, ImageRecord } from '../model.ts';
import type { Descriptor, ImageContent, ImageStore } from '../ports.ts';
import type { ContentCollector } from './content-collector.ts';
import { longestChain } from './image-config.ts';
import { noSuchImage } from './image-lookup.ts';
import type { ImageNames } from './image-names.ts';
import { layersOf, newImageRecord } from './image-record.ts';
import { mediaTypes } from './manifest.ts';
import type { ProcessDefaults } from './process-defaults.ts';
import { familiarString, parseReference, referenceOf } from './reference.ts';
import { writeConfig } from './write-config.ts';

export interface CommitParts {
  store: ImageStore;
  content: ImageContent;
  ledger: ContentCollector;
  names: ImageNames;
  clock: Clock;
}

export interface CommitRequest {
  parentId: string;
  defaults: ProcessDefaults;
  author: string;
  comment: string;
  /** For the history. */
  createdBy: string;
  /** In its familiar form; undefined: none. */
  name: string | undefined;
  /** Runs `use` with the layer as an uncompressed tar; throws when the layer is not complete. */
  withLayer<T>(use: (layer: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T>;
}

/** The name of a committed image. Throws `invalid` with Docker's message; undefined without a repository. */
export function commitName(repository: string, tag: string): string | undefined {
  if (repository === '') return undefined;
  if (parseReference(repository).digest !== undefined) {
    throw new NetyardError('invalid', 'cannot import digest reference');
  }
  return familiarString(referenceOf(repository, tag));
}

/** Digest of a tar archive without entries: an image gets no layer of it, as in Docker. */
const emptyLayer = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

export async function commitImage(parts: CommitParts, request: CommitRequest): Promise<ImageRecord> {
  return await parts.ledger.adding(async (adding) => {
    const parent = parts.store.images().find(({ id }) => id === request.parentId);
    if (!parent) throw withLoadHint(noSuchImage(request.parentId));
    if (parent.layers.length >= longestChain) throw new NetyardError('invalid', 'max depth exceeded');
    const blob = await request.withLayer((layer) => adding.write({ mediaType: mediaTypes.dockerLayer }, layer));
    const added = blob.digest === emptyLayer ? undefined : blob;
    const config = childConfig(parent.config, request, formatTime(parts.clock.now()), added);
    const layers = layersOf(config, [...parent.layers.map(descriptorOf), ...(added ? [added] : [])]);
    const top = layers.at(-1);
    if (added && top) {
      const below = parent.layers.map(({ chainId }) => chainId);
      await adding.unpack(added, below, top.chainId);
    }
    const id = await writeConfig(adding, config);
    const own = added && top ? await parts.content.layerSize(top.chainId) : 0;
    const record = newImageRecord({ id, config, layers, size: parent.size + own, parent: parent.id });
    const stored = parts.names.put(record);
    if (request.name !== undefined) parts.names.tag(id, request.name);
    return stored;
  });
}

const withLoadHint = (error: NetyardError): NetyardError =>
  new NetyardError(error.code, error.message, {
    hint: "the container's image was removed; load or pull it again, or use `docker export` and `docker import`",
  });

const descriptorOf = ({ digest, mediaType, size }: Descriptor): Descriptor => ({ digest, mediaType, size });

function childConfig(
  parent: ImageConfig,
  { defaults, author, comment, createdBy }: CommitRequest,
  created: string,
  layer: Descriptor | undefined,
): ImageConfig {
  const step = {
    created,
    createdBy,
    ...(author === '' ? {} : { author }),
    ...(comment === '' ? {} : { comment }),
    ...(layer ? {} : { emptyLayer: true }),
  };
  return {
    architecture: parent.architecture,
    os: parent.os,
    ...(parent.variant === undefined ? {} : { variant: parent.variant }),
    ...(author === '' ? {} : { author }),
    created,
    ...defaults,
    diffIds: [...parent.diffIds, ...(layer ? [layer.digest] : [])],
    history: [...parent.history, step],
  };
}
