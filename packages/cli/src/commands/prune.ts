/** `container prune`, `image prune`, `volume prune`, `network prune`, `system prune`. */
import { createInterface } from 'node:readline/promises';
import type { ImageDeleteItem } from '@netyard/api-types';
import type { Filters } from '@netyard/client';
import { Failure } from '../failure.ts';
import { humanSize } from '../format/human.ts';
import { parseFilter, parseFilters } from '../options/filters.ts';
import { forceFlag } from '../options/shared-flags.ts';
import type { Context } from '../program/context.ts';
import type { FlagSpec, Flags } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';

interface Pruned {
  text: string;
  /** Absent for objects without disk usage. */
  reclaimed?: number;
}

/** Without a short form, because -f is --force here. */
const filter: FlagSpec = {
  name: 'filter',
  type: 'filter',
  help: 'Provide filter values (e.g. "until=<timestamp>")',
  check: parseFilter,
};

/** Asks for confirmation; as in docker, anything but y means no. */
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
  return { text: deletedText('Deleted Networks', answer.NetworksDeleted) };
}

/** The parts that differ between prune commands. */
interface Pruning {
  /** In addition to --filter and --force. */
  flags: readonly FlagSpec[];
  examples: readonly string[];
  /** docker's text after "This will remove". */
  warning(flags: Flags): string;
  prune(context: Context, filters: Filters, flags: Flags): Promise<Pruned[]>;
}

function pruneCommand(pruning: Pruning): CommandSpec {
  return {
    usage: '[OPTIONS]',
    args: [0, 0],
    flags: [...pruning.flags, filter, forceFlag].sort((a, b) => (a.name < b.name ? -1 : 1)),
    examples: pruning.examples,
    run: async (context, { flags }) => {
      await confirm(context, flags, `WARNING! This will remove${pruning.warning(flags)}`);
      const pruned = await pruning.prune(context, parseFilters(flags.list('filter')), flags);
      context.write(pruned.map(({ text }) => text).join(''));
      const sizes = pruned.flatMap(({ reclaimed }) => reclaimed ?? []);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      if (sizes.length > 0) context.print(`Total reclaimed space: ${humanSize(total)}`);
      return 0;
    },
  };
}

const imagesText = (all: boolean): string =>
  all ? 'all images without at least one container associated to them' : 'all dangling images';

export const containerPrune = pruneCommand({
  flags: [],
  examples: ['netyard container prune -f'],
  warning: () => ' all stopped containers.',
  prune: async (context, filters) => [await pruneContainers(context, filters)],
});

export const imagePrune = pruneCommand({
  flags: [{ name: 'all', short: 'a', type: 'bool', help: 'Remove all unused images, not just dangling ones' }],
  examples: ['netyard image prune -af'],
  warning: (flags) => ` ${imagesText(flags.bool('all'))}.`,
  prune: async (context, filters, flags) => [await pruneImages(context, filters, flags.bool('all'))],
});

export const volumePrune = pruneCommand({
  flags: [{ name: 'all', short: 'a', type: 'bool', help: 'Remove all unused volumes, not just anonymous ones' }],
  examples: ['netyard volume prune -f'],
  warning: (flags) => ` ${flags.bool('all') ? 'all' : 'anonymous'} local volumes not used by at least one container.`,
  prune: async (context, filters, flags) => [
    await pruneVolumes(context, flags.bool('all') ? { ...filters, all: ['true'] } : filters),
  ],
});

export const networkPrune = pruneCommand({
  flags: [],
  examples: ['netyard network prune -f'],
  warning: () => ' all custom networks not used by at least one container.',
  prune: async (context, filters) => [await pruneNetworks(context, filters)],
});

export const systemPrune = pruneCommand({
  flags: [
    { name: 'all', short: 'a', type: 'bool', help: 'Remove all unused images not just dangling ones' },
    { name: 'volumes', type: 'bool', help: 'Prune anonymous volumes' },
  ],
  examples: ['netyard system prune -f', 'netyard system prune --all --volumes'],
  warning: (flags) => {
    const lines = [
      'all stopped containers',
      'all networks not used by at least one container',
      ...(flags.bool('volumes') ? ['all anonymous volumes not used by at least one container'] : []),
      imagesText(flags.bool('all')),
    ];
    return `:\n${lines.map((line) => `  - ${line}`).join('\n')}\n`;
  },
  prune: async (context, filters, flags) => {
    const pruned = [await pruneContainers(context, filters), await pruneNetworks(context, filters)];
    if (flags.bool('volumes')) pruned.push(await pruneVolumes(context, filters));
    return [...pruned, await pruneImages(context, filters, flags.bool('all'))];
  },
});
