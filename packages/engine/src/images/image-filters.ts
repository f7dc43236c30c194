/** The filters of `docker images`, with Docker's rules. Pure. */
import type { Filters } from '../contract.ts';
import { booleanFilter, checkFilterKeys, matchesPruneLabels, untilFilter } from '../filters.ts';
import type { ImageRecord } from '../model.ts';
import { findImage } from './image-lookup.ts';
import { pathPattern } from './path-pattern.ts';
import { familiarName, familiarString, parseReference } from './reference.ts';

const isDangling = (record: ImageRecord): boolean => record.tags.length === 0;

/** Newest first; with a `reference` filter, records show the names that match. */
export function filterImages(images: readonly ImageRecord[], filters: Filters, now: bigint): ImageRecord[] {
  checkFilterKeys(filters, ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until']);
  const dangling = booleanFilter(filters, 'dangling');
  const createdOf = (name: string): bigint => findImage(images, name).record.created;
  const until = untilFilter(filters, now);
  const before = [...(filters.get('before') ?? []).map(createdOf), ...(until === undefined ? [] : [until])];
  const since = (filters.get('since') ?? []).map(createdOf);
  const patterns = filters.get('reference')?.map(pathPattern);
  return images
    .filter(({ created }) => before.every((time) => created < time) && since.every((time) => created > time))
    .filter(({ config }) => matchesPruneLabels(filters, config.labels))
    .filter((record) => dangling === undefined || isDangling(record) === dangling)
    .map((record) => withMatchingNames(record, patterns))
    .filter((record) => record !== undefined)
    .sort((a, b) => (a.created === b.created ? 0 : a.created < b.created ? 1 : -1));
}

function withMatchingNames(record: ImageRecord, patterns: readonly RegExp[] | undefined): ImageRecord | undefined {
  if (patterns === undefined || patterns.length === 0) return record;
  const matches = (name: string): boolean => patterns.some((pattern) => matchesReference(name, pattern));
  const tags = record.tags.filter(matches);
  const digests = record.digests.filter(matches);
  return tags.length + digests.length === 0 ? undefined : { ...record, tags, digests };
}

/** Matches a name as Docker shows it, with its tag or digest and without; `docker.io/library/` is never part of it. */
function matchesReference(name: string, pattern: RegExp): boolean {
  const reference = parseReference(name);
  return pattern.test(familiarString(reference)) || pattern.test(familiarName(reference));
}
