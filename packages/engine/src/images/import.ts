/** `docker import`: turns a tar archive of files into an image with one layer. */
import { type ArchiveLimits, ArchiveMeter, type Clock, decompress, formatTime } from '@netyard/core';
import type { Platform } from '../contract.ts';
import type { ImageConfig, ImageRecord } from '../model.ts';
import type { ImageContent } from '../ports.ts';
import { applyChanges } from './changes/apply-changes.ts';
import type { ContentCollector } from './content-collector.ts';
import type { ImageNames } from './image-names.ts';
import { layersOf, newImageRecord } from './image-record.ts';
import { mediaTypes } from './manifest.ts';
import { parsePlatform } from './platform.ts';
import { emptyProcessDefaults } from './process-defaults.ts';
import { familiarString, referenceOf } from './reference.ts';
import { writeConfig } from './write-config.ts';

export interface ImportParts {
  content: ImageContent;
  ledger: ContentCollector;
  names: ImageNames;
  clock: Clock;
  platform: Platform;
  archiveLimits?: Partial<ArchiveLimits>;
}

export interface ImportRequest {
  /** '' for none. */
  repository: string;
  tag: string;
  message: string;
  changes: string[];
  /** `linux/arm64`, if not this machine's. */
  platform?: string;
}

/** Throws `invalid` before anything is read when the name, the platform or a change is invalid. */
export async function importArchive(
  parts: ImportParts,
  archive: AsyncIterable<Uint8Array>,
  request: ImportRequest,
): Promise<ImageRecord> {
  const name = request.repository === '' ? undefined : familiarString(referenceOf(request.repository, request.tag));
  const base = applyChanges(emptyConfig(parts, request), request.changes).config;
  return await parts.ledger.adding(async (adding) => {
    const { stream } = await decompress(archive, new ArchiveMeter(parts.archiveLimits));
    const layer = await adding.write({ mediaType: mediaTypes.dockerLayer }, stream);
    const config: ImageConfig = { ...base, diffIds: [layer.digest] };
    await adding.unpack(layer, [], layer.digest);
    const id = await writeConfig(adding, config);
    const size = await parts.content.layerSize(layer.digest);
    const record = parts.names.put(newImageRecord({ id, config, layers: layersOf(config, [layer]), size }));
    if (name !== undefined) parts.names.tag(id, name);
    parts.names.emit('import', id, id);
    return record;
  });
}

function emptyConfig({ clock, platform }: ImportParts, request: ImportRequest): ImageConfig {
  const created = formatTime(clock.now());
  return {
    ...(request.platform === undefined ? platform : parsePlatform(request.platform, platform)),
    created,
    ...emptyProcessDefaults,
    diffIds: [],
    history: [{ created, comment: request.message === '' ? 'Imported from -' : request.message }],
  };
}
