/** Parses and encodes manifests and indexes of Docker (v2 schema 2) and OCI. Pure. */
import { NetyardError } from '@netyard/core';
import { z } from 'zod';
import type { Platform } from '../contract.ts';
import { goObject } from '../go-object.ts';
import type { Descriptor } from '../ports.ts';
import { checkBlobDigest, digestOf } from './digest.ts';
import { parseJson } from './json.ts';

export const mediaTypes = {
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

export interface IndexEntry extends Descriptor {
  platform: Platform | undefined;
  annotations: Record<string, string>;
}

const descriptorShape = {
  mediaType: z.string().nullish(),
  digest: z.string(),
  size: z.number().int().nonnegative(),
};
const descriptor = goObject(descriptorShape);
const manifestSchema = goObject({
  schemaVersion: z.literal(2),
  config: descriptor,
  layers: z.array(descriptor).max(125),
});
const platform = goObject({ os: z.string(), architecture: z.string(), variant: z.string().nullish() });
const indexSchema = goObject({
  schemaVersion: z.literal(2),
  manifests: z
    .array(
      goObject({
        ...descriptorShape,
        platform: platform.nullish(),
        annotations: z.record(z.string(), z.string()).nullish(),
      }),
    )
    .max(1000),
});

export const isIndexType = (mediaType: string): boolean =>
  mediaType === mediaTypes.dockerIndex || mediaType === mediaTypes.ociIndex;

export function parseManifest(bytes: Uint8Array): Manifest {
  const raw = parseJson(manifestSchema, bytes, 'invalid manifest: it');
  return {
    config: { ...raw.config, mediaType: raw.config.mediaType || mediaTypes.ociConfig },
    layers: raw.layers.map((layer) => ({ ...layer, mediaType: layer.mediaType ?? mediaTypes.ociLayer })),
  };
}

export function parseIndex(bytes: Uint8Array): IndexEntry[] {
  return parseJson(indexSchema, bytes, 'invalid index: it').manifests.map(({ platform, annotations, ...entry }) => ({
    digest: entry.digest,
    size: entry.size,
    mediaType: entry.mediaType ?? mediaTypes.ociManifest,
    platform: platform
      ? {
          os: platform.os,
          architecture: platform.architecture,
          ...(platform.variant ? { variant: platform.variant } : {}),
        }
      : undefined,
    annotations: annotations ?? {},
  }));
}

/** The entry for a machine; entries without a platform come last. */
export function pickPlatform(entries: readonly IndexEntry[], requested: Platform): IndexEntry | undefined {
  const isAttestation = (entry: IndexEntry): boolean => entry.platform?.os === 'unknown';
  const fits = (entry: IndexEntry): boolean =>
    entry.platform?.os === requested.os &&
    entry.platform.architecture === requested.architecture &&
    (requested.variant === undefined ||
      entry.platform.variant === undefined ||
      entry.platform.variant === requested.variant);
  return entries.find(fits) ?? entries.find((entry) => entry.platform === undefined && !isAttestation(entry));
}

/** OCI's names for what Node calls `process.arch`. */
export function platformOf(architecture: string): Platform {
  const names: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };
  return { os: 'linux', architecture: names[architecture] ?? architecture };
}

const ociTypes: Readonly<Record<string, string>> = {
  [mediaTypes.dockerLayer]: mediaTypes.ociLayer,
  [mediaTypes.dockerLayerGzip]: mediaTypes.ociLayerGzip,
};

/** @param kind defaults to Docker's, or to OCI's when a layer is of a type that only OCI has */
export function encodeManifest(manifest: Manifest, kind?: 'oci'): Descriptor & { body: Uint8Array } {
  const oci = kind === 'oci' || manifest.layers.some(({ mediaType }) => mediaType.startsWith('application/vnd.oci.'));
  const mediaType = oci ? mediaTypes.ociManifest : mediaTypes.dockerManifest;
  const entry = ({ mediaType: type, size, digest }: Descriptor): Descriptor => {
    return { mediaType: (oci ? ociTypes[type] : undefined) ?? type, size, digest };
  };
  const config = { ...entry(manifest.config), mediaType: oci ? mediaTypes.ociConfig : mediaTypes.dockerConfig };
  const json = { schemaVersion: 2, mediaType, config, layers: manifest.layers.map(entry) };
  const body = Buffer.from(JSON.stringify(json, null, 3));
  return { mediaType, body, size: body.length, digest: digestOf(body) };
}

/** Of configurations that tools write for images; registries of former times stored them with the others. */
const configTypes: readonly string[] = [
  mediaTypes.dockerConfig,
  mediaTypes.ociConfig,
  'application/octet-stream',
  'application/json',
  'text/html',
];
const pluginConfig = 'application/vnd.docker.plugin.v1+json';

/**
 * Throws `invalid`, with Docker's messages, for what is no container image, such as a plugin or a Helm chart, and for
 * layers and digests that cannot be read.
 * @param mediaType the manifest's
 */
export function checkManifest({ config, layers }: Manifest, mediaType: string): void {
  if (!configTypes.includes(config.mediaType)) throw noImage(config.mediaType, mediaType);
  checkBlobDigest('config', config.digest);
  for (const layer of layers) {
    checkBlobDigest('layer', layer.digest);
    checkLayerType(layer.mediaType);
  }
}

function noImage(configType: string, manifestType: string): NetyardError {
  const kind = configType === pluginConfig ? 'plugin' : 'unknown';
  const message =
    manifestType === mediaTypes.dockerManifest
      ? `Encountered remote ${JSON.stringify(configType)}(${kind}) when fetching`
      : `unsupported media type ${configType}`;
  return new NetyardError('invalid', message, { hint: 'this name stands for no container image' });
}

/** Throws `invalid` for foreign and unknown ones. */
function checkLayerType(mediaType: string): void {
  const known: string[] = [
    mediaTypes.dockerLayer,
    mediaTypes.dockerLayerGzip,
    mediaTypes.ociLayer,
    mediaTypes.ociLayerGzip,
    mediaTypes.ociLayerZstd,
  ];
  if (known.includes(mediaType)) return;
  throw new NetyardError('invalid', `unsupported layer type ${mediaType}`, {
    hint: 'use an image built for Linux containers',
  });
}
