/** Finds an image by a user's reference: id, id prefix, name, name and tag, name and digest. Pure. */
import { isFullId, isIdPrefix, NetyardError } from '@netyard/core';
import type { ImageRecord } from '../model.ts';
import {
  familiarName,
  familiarString,
  type ImageReference,
  isDigest,
  parseReference,
  withDefaultTag,
} from './reference.ts';

export interface FoundImage {
  record: ImageRecord;
  /** The name it was found by, in its familiar form; undefined if found by id. */
  name: string | undefined;
}

/** Throws `not-found` with Docker's message; `invalid` for an invalid name. */
export function findImage(images: readonly ImageRecord[], text: string): FoundImage {
  const id = fullIdOf(text);
  if (id !== undefined) {
    const record = images.find((image) => image.id === id) ?? images.find((image) => image.digests.some(endsIn(id)));
    if (!record) throw noSuchImage(text);
    return { record, name: undefined };
  }
  const reference = parseReference(text);
  const named = findByReference(images, reference) ?? findByPrefix(images, text);
  if (!named) throw noSuchImage(familiarString(withDefaultTag(reference)));
  return named;
}

const endsIn =
  (digest: string) =>
  (name: string): boolean =>
    name.endsWith(`@${digest}`);

/** `sha256:…` for 64 digits with or without that prefix. */
function fullIdOf(text: string): string | undefined {
  if (isFullId(text)) return `sha256:${text}`;
  return isDigest(text) ? text : undefined;
}

function findByReference(images: readonly ImageRecord[], reference: ImageReference): FoundImage | undefined {
  const requested = withDefaultTag(reference);
  const name =
    requested.digest === undefined ? familiarString(requested) : familiarString({ ...requested, tag: undefined });
  const record = images.find((image) => image.tags.includes(name) || image.digests.includes(name));
  if (record) return { record, name };
  // name@ID of an image that was loaded rather than pulled
  const byId = images.find(
    (image) => image.id === requested.digest && image.tags.some((tag) => repositoryOf(tag) === familiarName(requested)),
  );
  return byId && { record: byId, name: undefined };
}

function findByPrefix(images: readonly ImageRecord[], text: string): FoundImage | undefined {
  const prefix = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
  if (!isIdPrefix(prefix)) return undefined;
  const found = images.filter((image) => image.id.startsWith(`sha256:${prefix}`));
  const [record, second] = found;
  // as in Docker, an ambiguous prefix matches nothing
  return record && !second ? { record, name: undefined } : undefined;
}

/** The name of `name:tag` or `name@digest`. */
export function repositoryOf(name: string): string {
  return familiarName(parseReference(name));
}

export function noSuchImage(name: string): NetyardError {
  return new NetyardError('not-found', `No such image: ${name}`);
}
