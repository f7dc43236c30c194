/** `volume create`, `ls` and `rm`. */
import type { Volume } from '@netyard/api-types';
import { isNetyardError } from '@netyard/core';
import { Failure } from '../failure.ts';
import { labelsText } from '../format/containers.ts';
import { humanSize, naturalCompare } from '../format/human.ts';
import { type Listing, type Row, renderListing } from '../format/listing.ts';
import { commandFlags } from '../options/command-flags.ts';
import { keyValues, readLabels } from '../options/environment.ts';
import { filterFlag, parseFilters } from '../options/filters.ts';
import { formatFlag } from '../options/shared-flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { forEach } from './for-each.ts';

export const volumeListing: Listing = {
  headers: {
    Name: 'VOLUME NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    Mountpoint: 'MOUNTPOINT',
    Labels: 'LABELS',
    Label: 'LABEL',
    Links: 'LINKS',
    Size: 'SIZE',
    Availability: 'AVAILABILITY',
    Group: 'GROUP',
    Status: 'STATUS',
  },
  columns: ['Driver', 'Name'],
  quiet: 'Name',
  typeName: '*formatter.volumeContext',
};

/** Volumes in `system df -v`. */
export const volumeUsageListing: Listing = { ...volumeListing, columns: ['Name', 'Links', 'Size'] };

export function volumeRow(volume: Volume): Row {
  const labels = volume.Labels ?? {};
  return {
    Name: volume.Name,
    Driver: volume.Driver,
    Scope: volume.Scope,
    Mountpoint: volume.Mountpoint,
    Labels: labelsText(labels),
    Label: (name: string) => labels[name] ?? '',
    Links: volume.UsageData ? String(volume.UsageData.RefCount) : 'N/A',
    Size: volume.UsageData ? humanSize(volume.UsageData.Size) : 'N/A',
    Availability: 'N/A',
    Group: 'N/A',
    Status: 'N/A',
  };
}

export const volumeLs: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [filterFlag, formatFlag, { name: 'quiet', short: 'q', type: 'bool', help: 'Only display volume names' }],
  examples: ['netyard volume ls', 'netyard volume ls -q --filter dangling=true'],
  run: async (context, { flags }) => {
    const { Volumes } = await context.client().volumes.list(parseFilters(flags.list('filter')));
    const sorted = [...(Volumes ?? [])].sort((a, b) => naturalCompare(a.Name, b.Name));
    const choice = { format: flags.text('format'), quiet: flags.bool('quiet') };
    context.write(renderListing(volumeListing, sorted.map(volumeRow), choice));
    return 0;
  },
};

export const volumeCreate: CommandSpec = {
  usage: '[OPTIONS] [VOLUME]',
  args: [0, 1],
  flags: commandFlags('volume create'),
  examples: ['netyard volume create data'],
  run: async (context, { args: [name], flags }) => {
    if (name !== undefined && flags.has('name')) {
      throw new Failure(
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      );
    }
    const volume = await context.client().volumes.create({
      Driver: flags.text('driver'),
      DriverOpts: keyValues(flags.list('opt')),
      Labels: readLabels([], flags.list('label')),
      Name: name ?? flags.text('name'),
    });
    context.print(volume.Name);
    return 0;
  },
};

export const volumeRm: CommandSpec = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [{ name: 'force', short: 'f', type: 'bool', help: 'Force the removal of one or more volumes' }],
  examples: ['netyard volume rm data'],
  complete: 'volumes',
  run: (context, { args, flags }) =>
    forEach(context, args, async (name) => {
      try {
        await context.client().volumes.remove(name, { force: flags.bool('force') });
      } catch (error) {
        if (!(flags.bool('force') && isNetyardError(error, 'not-found'))) throw error;
      }
    }),
};
