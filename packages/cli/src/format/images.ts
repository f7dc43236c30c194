/** Formats rows of `images` and `history`. Pure. */
import type { ImageHistoryItem, ImageSummary } from '@netyard/api-types';
import { ellipsis, goTime, humanDuration, humanSize, shortImageId } from './human.ts';
import type { Listing, Row } from './listing.ts';

export const imageListing: Listing = {
  headers: {
    ID: 'IMAGE ID',
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    Digest: 'DIGEST',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    Size: 'SIZE',
    Containers: 'CONTAINERS',
    VirtualSize: 'SIZE',
    SharedSize: 'SHARED SIZE',
    UniqueSize: 'UNIQUE SIZE',
  },
  columns: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size'],
  quiet: 'ID',
  typeName: '*formatter.imageContext',
};

export interface ImageRowOptions {
  truncate: boolean;
  digests: boolean;
  /** Seconds since 1970. */
  now: number;
}

/** A row for each name of the image; with digests, a row for each digest of each name. */
export function imageRows(image: ImageSummary, options: ImageRowOptions): Row[] {
  const tags = new Map<string, string[]>();
  const digests = new Map<string, string[]>();
  const add = (to: Map<string, string[]>, name: string, value: string): void => {
    if (name !== '<none>') to.set(name, [...(to.get(name) ?? []), value]);
  };
  for (const text of image.RepoTags ?? [])
    add(tags, text.slice(0, text.lastIndexOf(':')), text.slice(text.lastIndexOf(':') + 1));
  for (const text of image.RepoDigests ?? []) add(digests, text.split('@')[0] ?? '', text.split('@')[1] ?? '');
  const rows: Row[] = [];
  for (const [name, its] of tags) {
    const itsDigests = options.digests ? (digests.get(name) ?? []) : [];
    digests.delete(name);
    for (const tag of its) {
      for (const digest of itsDigests.length > 0 ? itsDigests : ['<none>'])
        rows.push(imageRow(image, name, tag, digest, options));
    }
  }
  for (const [name, its] of digests) {
    for (const digest of options.digests ? its : ['<none>'])
      rows.push(imageRow(image, name, '<none>', digest, options));
  }
  return rows.length > 0 ? rows : [imageRow(image, '<none>', '<none>', '<none>', options)];
}

/** One row per image with its first name, for `system df -v`. */
export function imageUsageRow(image: ImageSummary, now: number): Row {
  const first = image.RepoTags?.[0] ?? '<none>:<none>';
  const colon = first.lastIndexOf(':');
  return imageRow(image, first.slice(0, colon), first.slice(colon + 1), '<none>', {
    truncate: true,
    digests: false,
    now,
  });
}

const familiar = (name: string): string => name.replace(/^docker\.io\/(library\/)?/, '');
const countText = (count: number): string => (count === -1 ? 'N/A' : String(count));
const sizeOrNone = (size: number): string => (size === -1 ? 'N/A' : humanSize(size));

function imageRow(
  image: ImageSummary,
  name: string,
  tag: string,
  digest: string,
  { truncate, now }: ImageRowOptions,
): Row {
  const shared = image.SharedSize ?? -1;
  return {
    ID: truncate ? shortImageId(image.Id) : image.Id,
    Repository: familiar(name),
    Tag: tag,
    Digest: digest,
    CreatedSince: image.Created <= 0 ? 'N/A' : `${humanDuration(now - image.Created)} ago`,
    get CreatedAt() {
      return goTime(new Date(image.Created * 1000));
    },
    Size: humanSize(image.Size, 3),
    Containers: countText(image.Containers ?? -1),
    VirtualSize: humanSize(image.Size),
    SharedSize: sizeOrNone(shared),
    UniqueSize: shared === -1 ? 'N/A' : humanSize(image.Size - shared),
  };
}

export const historyListing: Listing = {
  headers: {
    ID: 'IMAGE',
    CreatedSince: 'CREATED',
    CreatedAt: 'CREATED AT',
    CreatedBy: 'CREATED BY',
    Size: 'SIZE',
    Comment: 'COMMENT',
  },
  columns: ['ID', 'CreatedSince', 'CreatedBy', 'Size', 'Comment'],
  quiet: 'ID',
  typeName: '*formatter.historyContext',
};

export interface HistoryRowOptions {
  truncate: boolean;
  human: boolean;
  now: number;
}

export function historyRow(item: ImageHistoryItem, { truncate, human, now }: HistoryRowOptions): Row {
  const by = item.CreatedBy.replaceAll('\t', ' ');
  const created = new Date(item.Created * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  const since = item.Created <= 0 ? 'N/A' : `${humanDuration(now - item.Created)} ago`;
  return {
    ID: truncate ? shortImageId(item.Id) : item.Id,
    CreatedSince: human ? since : created,
    CreatedAt: created,
    CreatedBy: truncate ? ellipsis(by, 45) : by,
    Size: human ? humanSize(item.Size, 3) : String(item.Size),
    Comment: item.Comment,
  };
}
