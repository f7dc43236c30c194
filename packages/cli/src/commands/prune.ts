/** `container prune`, `image prune`, `volume prune`, `network prune`, `system prune`. */
import { createInterface } from 'node:readline/promises';
import type { ImageDeleteItem } from '@netyard/api-types';
import type { Filters } from '@netyard/client';
import { humanSize } from '../format/human.ts';
import { parseFilter, parseFilters } from '../options/filters.ts';
import type { Context } from '../program/context.ts';
import { Failure } from '../program/failure.ts';
import type { FlagSpec, Flags } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { forceFlag } from './shared-flags.ts';

interface Pruned {
  text: string;
  reclaimed: number;
}

/** Here -f is --force. */
const filter: FlagSpec = {
  name: 'filter',
  type: 'filter',
  help: 'Provide filter values (e.g. "until=<timestamp>")',
  check: parseFilter,
};

/** Asks until y or n; docker's answer to anything but y is no. */
async function confirm(context: Context, flags: Flags, warning: string): Promise<void> {
  if (flags.bool('force')) return;
  const lines = createInterface({ input: context.stdin, output: context.stdout });
  const answer = await new Promise<string>((resolve) => {
    lines.once('close', () => resolve(''));
    lines.question(`${warning}\nAre you sure you want to continue? [y/N] `).then(resolve, () => resolve(''));
  });
  lines.close();
  if (answer.trim().toLowerCase() !== 'y') throw new Failure('', 1);
}

const deletedText = (title: string, items: readonly string[] | null): string =>
  items && items.length > 0 ? `${title}:\n${items.join('\n')}\n\n` : '';

async function pruneContainers(context: Context, filters: Filters): Promise<Pruned> {
  const answer = await context.client().containers.prune(filters);
  return { text: deletedText('Deleted Containers', answer.ContainersDeleted), reclaimed: answer.SpaceReclaimed };
}

async function pruneImages(context: Context, filters: Filters, all: boolean): Promise<Pruned> {
  const answer = await context.client().images.prune({ ...filters, dangling: [String(!all)] });
  const line = (item: ImageDeleteItem): string =>
    'Deleted' in item ? `deleted: ${item.Deleted}` : `untagged: ${item.Untagged}`;
  return {
    text: deletedText('Deleted Images', (answer.ImagesDeleted ?? []).map(line)),
    reclaimed: answer.SpaceReclaimed,
  };
}

async function pruneVolumes(context: Context, filters: Filters): Promise<Pruned> {
  const answer = await context.client().volumes.prune(filters);
  return { text: deletedText('Deleted Volumes', answer.VolumesDeleted), reclaimed: answer.SpaceReclaimed };
}

async function pruneNetworks(context: Context, filters: Filters): Promise<Pruned> {
  const answer = await context.client().networks.prune(filters);
  return { text: deletedText('Deleted Networks', answer.NetworksDeleted), reclaimed: 0 };
}

function show(context: Context, pruned: readonly Pruned[]): number {
  context.write(pruned.map(({ text }) => text).join(''));
  context.print(`Total reclaimed space: ${humanSize(pruned.reduce((sum, { reclaimed }) => sum + reclaimed, 0))}`);
  return 0;
}

export const containerPrune: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [filter, forceFlag],
  examples: ['netyard container prune -f'],
  run: async (context, { flags }) => {
    await confirm(context, flags, 'WARNING! This will remove all stopped containers.');
    return show(context, [await pruneContainers(context, parseFilters(flags.list('filter')))]);
  },
};

export const imagePrune: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'all', short: 'a', type: 'bool', help: 'Remove all unused images, not just dangling ones' },
    filter,
    forceFlag,
  ],
  examples: ['netyard image prune -af'],
  run: async (context, { flags }) => {
    const all = flags.bool('all');
    const which = all ? 'all images without at least one container associated to them' : 'all dangling images';
    await confirm(context, flags, `WARNING! This will remove ${which}.`);
    return show(context, [await pruneImages(context, parseFilters(flags.list('filter')), all)]);
  },
};

export const volumePrune: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'all', short: 'a', type: 'bool', help: 'Remove all unused volumes, not just anonymous ones' },
    filter,
    forceFlag,
  ],
  examples: ['netyard volume prune -f'],
  run: async (context, { flags }) => {
    const all = flags.bool('all');
    const which = `${all ? 'all' : 'anonymous'} local volumes not used by at least one container`;
    await confirm(context, flags, `WARNING! This will remove ${which}.`);
    const filters = parseFilters(flags.list('filter'));
    return show(context, [await pruneVolumes(context, all ? { ...filters, all: ['true'] } : filters)]);
  },
};

export const networkPrune: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [filter, forceFlag],
  examples: ['netyard network prune -f'],
  run: async (context, { flags }) => {
    await confirm(context, flags, 'WARNING! This will remove all custom networks not used by at least one container.');
    const { text } = await pruneNetworks(context, parseFilters(flags.list('filter')));
    context.write(text);
    return 0;
  },
};

export const systemPrune: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'all', short: 'a', type: 'bool', help: 'Remove all unused images not just dangling ones' },
    filter,
    forceFlag,
    { name: 'volumes', type: 'bool', help: 'Prune anonymous volumes' },
  ],
  examples: ['netyard system prune -f', 'netyard system prune --all --volumes'],
  run: async (context, { flags }) => {
    const all = flags.bool('all');
    const volumes = flags.bool('volumes');
    const lines = [
      'all stopped containers',
      'all networks not used by at least one container',
      ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
      all ? 'all images without at least one container associated to them' : 'all dangling images',
    ];
    await confirm(context, flags, `WARNING! This will remove:\n${lines.map((line) => `  - ${line}`).join('\n')}\n`);
    const filters = parseFilters(flags.list('filter'));
    const pruned = [await pruneContainers(context, filters), await pruneNetworks(context, filters)];
    if (volumes) pruned.push(await pruneVolumes(context, filters));
    pruned.push(await pruneImages(context, filters, all));
    return show(context, pruned);
  },
};
