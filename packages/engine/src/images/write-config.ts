/** Stores the configuration of a new image. */
import type { ImageConfig } from '../model.ts';
import type { Adding } from './content-collector.ts';
import { digestOf } from './digest.ts';
import { encodeImageConfig } from './image-config.ts';
import { mediaTypes } from './manifest.ts';

/** @returns the image's id */
export async function writeConfig(adding: Adding, config: ImageConfig): Promise<string> {
  const body = encodeImageConfig(config);
  const id = digestOf(body);
  await adding.write({ mediaType: mediaTypes.dockerConfig, digest: id, size: body.length }, oneChunk(body));
  return id;
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
