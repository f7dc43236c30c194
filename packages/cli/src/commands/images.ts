/** `images`, `history`, `rmi` and `tag`. */

import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import { describeError, throwAll } from '../failure.ts';
import { historyListing, historyRow, imageListing, imageRows } from '../format/images.ts';
import { renderListing } from '../format/listing.ts';
import { filterFlag, parseFilters } from '../options/filters.ts';
import { type ImageReference, parseReference } from '../options/reference.ts';
import { formatFlag, noTruncFlag } from '../options/shared-flags.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';

const seconds = ({ clock }: Context): number => Number(clock.now() / 1_000_000n) / 1000;

export const images: CommandSpec = {
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  args: [0, 1],
  flags: [
    { name: 'all', short: 'a', type: 'bool', help: 'Show all images (default hides intermediate images)' },
    { name: 'digests', type: 'bool', help: 'Show digests' },
    filterFlag,
    formatFlag,
    noTruncFlag,
    { name: 'quiet', short: 'q', type: 'bool', help: 'Only show image IDs' },
  ],
  examples: ['netyard images', "netyard images --format '{{.Repository}}:{{.Tag}} {{.Size}}'"],
  complete: 'images',
  run: async (context, { args: [name], flags }) => {
    const filters = parseFilters(flags.list('filter'));
    if (name !== undefined) filters['reference'] = [...(filters['reference'] ?? []), name];
    const format = flags.text('format');
    const digests = flags.bool('digests') || /\{\{.*\.Digest\b/.test(format);
    const list = await context.client().images.list({ all: flags.bool('all'), filters });
    const row = { truncate: !flags.bool('no-trunc'), digests, now: seconds(context) };
    const columns = digests ? ['Repository', 'Tag', 'Digest', 'ID', 'CreatedSince', 'Size'] : imageListing.columns;
    const rows = list.flatMap((image) => imageRows(image, row));
    context.write(renderListing({ ...imageListing, columns }, rows, { format, quiet: flags.bool('quiet') }));
    return 0;
  },
};

export const history: CommandSpec = {
  usage: '[OPTIONS] IMAGE',
  args: [1, 1],
  flags: [
    formatFlag,
    {
      name: 'human',
      short: 'H',
      type: 'bool',
      help: 'Print sizes and dates in human readable format',
      default: 'true',
    },
    noTruncFlag,
    { name: 'quiet', short: 'q', type: 'bool', help: 'Only show image IDs' },
  ],
  examples: ['netyard history nginx', 'netyard history --no-trunc nginx'],
  complete: 'images',
  run: async (context, { args: [ref = ''], flags }) => {
    const items = await context.client().images.history(ref);
    const row = { truncate: !flags.bool('no-trunc'), human: flags.bool('human'), now: seconds(context) };
    const rows = items.map((item) => historyRow(item, row));
    const columns = historyListing.columns.map((name) => (name === 'CreatedSince' && !row.human ? 'CreatedAt' : name));
    context.write(
      renderListing({ ...historyListing, columns }, rows, { format: flags.text('format'), quiet: flags.bool('quiet') }),
    );
    return 0;
  },
};

export const rmi: CommandSpec = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: 'force', short: 'f', type: 'bool', help: 'Force removal of the image' },
    { name: 'no-prune', type: 'bool', help: 'Do not delete untagged parents' },
  ],
  examples: ['netyard rmi nginx-web01'],
  complete: 'images',
  run: async (context, { args, flags }) => {
    const errors: unknown[] = [];
    for (const ref of args) {
      try {
        const call = { force: flags.bool('force'), noPrune: flags.bool('no-prune') };
        for (const item of await context.client().images.remove(ref, call)) {
          context.print('Deleted' in item ? `Deleted: ${item.Deleted}` : `Untagged: ${item.Untagged}`);
        }
      } catch (error) {
        if (flags.bool('force') && isNetyardError(error, 'not-found')) context.warn(describeError(error));
        else errors.push(error);
      }
    }
    throwAll(errors);
    return 0;
  },
};

function targetReference(text: string): ImageReference {
  try {
    return parseReference(text);
  } catch (cause) {
    const message = `Error parsing reference: ${JSON.stringify(text)} is not a valid repository/tag: ${messageOf(cause)}`;
    throw new NetyardError('invalid', message, { cause });
  }
}

export const tag: CommandSpec = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  args: [2, 2],
  flags: [],
  examples: ['netyard tag nginx-web01 registry:5000/web:1'],
  complete: 'images',
  run: async (context, { args: [source = '', target = ''] }) => {
    const { name, tag: newTag } = targetReference(target);
    await context.client().images.tag(source, name, newTag ?? 'latest');
    return 0;
  },
};
