/** `ps`: lists containers. */
import { containerListing, containerRow } from '../format/containers.ts';
import { renderListing } from '../format/listing.ts';
import { filterFlag, parseFilters } from '../options/filters.ts';
import { formatFlag, noTruncFlag } from '../options/shared-flags.ts';
import type { CommandSpec } from '../program/spec.ts';

export const ps: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'all', short: 'a', type: 'bool', help: 'Show all containers (default shows just running)' },
    filterFlag,
    formatFlag,
    {
      name: 'last',
      short: 'n',
      type: 'int',
      help: 'Show n last created containers (includes all states)',
      default: '-1',
    },
    { name: 'latest', short: 'l', type: 'bool', help: 'Show the latest created container (includes all states)' },
    noTruncFlag,
    { name: 'quiet', short: 'q', type: 'bool', help: 'Only display container IDs' },
    { name: 'size', short: 's', type: 'bool', help: 'Display total file sizes' },
  ],
  examples: ['netyard ps -a', "netyard ps --format '{{.Names}}\\t{{.Ports}}'", 'netyard rm -f $(netyard ps -aq)'],
  run: async (context, { flags }) => {
    const format = flags.text('format');
    const size = flags.bool('size') || /\{\{.*\.Size\b/.test(format);
    const last = flags.bool('latest') ? 1 : Number(flags.text('last'));
    const containers = await context.client().containers.list({
      all: flags.bool('all'),
      limit: last > 0 ? last : undefined,
      size,
      filters: parseFilters(flags.list('filter')),
    });
    const row = { truncate: !flags.bool('no-trunc'), now: Number(context.clock.now() / 1_000_000n) / 1000 };
    const listing = size ? { ...containerListing, columns: [...containerListing.columns, 'Size'] } : containerListing;
    const rows = containers.map((container) => containerRow(container, row));
    context.write(renderListing(listing, rows, { format, quiet: flags.bool('quiet') }));
    return 0;
  },
};
