/** The filters of `docker images` and `docker image prune`, with Docker's rules. Pure. */
import { matchesGlob } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { Filters } from '../contract.ts';
import type { ImageRecord } from '../model.ts';
import { findImage } from './image-lookup.ts';
import { canonicalName, canonicalString, familiarName, familiarString, parseReference } from './reference.ts';
import { parseTimestamp } from './timestamps.ts';

/** Throws `invalid` for a filter that is not among those. */
export function checkFilters(filters: Filters, allowed: readonly string[]): void {
  for (const name of filters.keys()) {
    if (!allowed.includes(name)) throw new NetyardError('invalid', `invalid filter '${name}'`);
  }
}

/** Docker's boolean filter: one value, or several that agree. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters.get(name);
  if (values === undefined || values.length === 0) return undefined;
  const isTrue = values.some((value) => value === '1' || value === 'true');
  const isFalse = values.some((value) => value === '0' || value === 'false');
  if (isTrue === isFalse) {
    throw new NetyardError('invalid', `invalid filter '${name}=${JSON.stringify(values)}'`);
  }
  return isTrue;
}

/** `label=KEY`, `label=KEY=VALUE`, all of them; none of `label!=…`. */
export function matchesLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  const has = (wanted: string): boolean => {
    const equals = wanted.indexOf('=');
    return equals < 0 ? wanted in labels : labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
  };
  return (filters.get('label') ?? []).every(has) && !(filters.get('label!') ?? []).some(has);
}

const isDangling = (record: ImageRecord): boolean => record.tags.length === 0;

/** Newest first; with a `reference` filter, records show the names that match. */
export function filterImages(images: readonly ImageRecord[], filters: Filters, now: bigint): ImageRecord[] {
  checkFilters(filters, ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until']);
  const dangling = booleanFilter(filters, 'dangling');
  const createdOf = (name: string): bigint => findImage(images, name).record.created;
  const before = [
    ...(filters.get('before') ?? []).map(createdOf),
    ...(filters.get('until') ?? []).map((value) => parseTimestamp(value, now)),
  ];
  const since = (filters.get('since') ?? []).map(createdOf);
  return images
    .filter(({ created }) => before.every((time) => created < time) && since.every((time) => created > time))
    .filter(({ config }) => matchesLabels(filters, config.labels))
    .filter((record) => dangling === undefined || isDangling(record) === dangling)
    .map((record) => withMatchingNames(record, filters.get('reference')))
    .filter((record) => record !== undefined)
    .sort((a, b) => (a.created === b.created ? 0 : a.created < b.created ? 1 : -1));
}

function withMatchingNames(record: ImageRecord, patterns: readonly string[] | undefined): ImageRecord | undefined {
  if (patterns === undefined || patterns.length === 0) return record;
  const matches = (name: string): boolean => patterns.some((pattern) => matchesReference(name, pattern));
  const tags = record.tags.filter(matches);
  const digests = record.digests.filter(matches);
  return tags.length + digests.length === 0 ? undefined : { ...record, tags, digests };
}

/** Shell pattern against each of the forms a name may be written in. */
function matchesReference(name: string, pattern: string): boolean {
  const reference = parseReference(name);
  const forms = [
    familiarString(reference),
    familiarName(reference),
    canonicalString(reference),
    canonicalName(reference),
  ];
  return forms.some((form) => matchesGlob(form, pattern));
}
