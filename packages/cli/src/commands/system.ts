/** `system df`, `system cleanup`, `system recover` and `explain`. */
import type { ExplainResponse } from '@netyard/api-types';
import { containerListing, containerRow } from '../format/containers.ts';
import { diskUsageListing, diskUsageRows } from '../format/disk-usage.ts';
import { imageListing, imageUsageRow } from '../format/images.ts';
import { renderListing } from '../format/listing.ts';
import { formatFlag } from '../options/shared-flags.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';
import { volumeRow, volumeUsageListing } from './volumes.ts';

export const df: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [formatFlag, { name: 'verbose', short: 'v', type: 'bool', help: 'Show detailed information on space usage' }],
  examples: ['netyard system df', 'netyard system df -v'],
  run: async (context, { flags }) => {
    const usage = await context.client().system.diskUsage();
    if (!flags.bool('verbose')) {
      context.write(renderListing(diskUsageListing, diskUsageRows(usage), { format: flags.text('format') }));
      return 0;
    }
    const now = Number(context.clock.now() / 1_000_000n) / 1000;
    const tables: [string, string][] = [
      [
        'Images space usage:',
        renderListing(
          {
            ...imageListing,
            columns: ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size', 'SharedSize', 'UniqueSize', 'Containers'],
          },
          (usage.Images ?? []).map((image) => imageUsageRow(image, now)),
          { format: '' },
        ),
      ],
      [
        'Containers space usage:',
        renderListing(
          {
            ...containerListing,
            columns: ['ID', 'Image', 'Command', 'LocalVolumes', 'Size', 'RunningFor', 'Status', 'Names'],
          },
          (usage.Containers ?? []).map((container) =>
            containerRow({ ...container, SizeRootFs: 0 }, { truncate: true, now }),
          ),
          { format: '' },
        ),
      ],
      [
        'Local Volumes space usage:',
        renderListing(volumeUsageListing, (usage.Volumes ?? []).map(volumeRow), { format: '' }),
      ],
    ];
    // There is no build cache; prints docker's empty table for programs that parse the output.
    tables.push([
      'Build cache usage: 0B',
      'CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n',
    ]);
    context.write(tables.map(([title, table]) => `${title}\n\n${table}`).join('\n'));
    return 0;
  },
};

export const cleanup: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'dry-run', type: 'bool', help: 'Print what would be removed, without removing it' },
    {
      name: 'unknown-data',
      type: 'bool',
      help: 'Also remove data of containers and images that have no record',
    },
  ],
  description:
    'Leftovers are interfaces, rules, mounts, namespaces and files of Netyard. Lists data without a record; use\n' +
    '--unknown-data to remove it too.',
  examples: ['netyard system cleanup --dry-run', 'netyard system cleanup --unknown-data --dry-run'],
  run: async (context, { flags }) => {
    const { Removed } = await context.client().system.cleanup({
      dryRun: flags.bool('dry-run'),
      unknownData: flags.bool('unknown-data'),
    });
    if (Removed.length === 0) context.print('Nothing to clean up: everything that Netyard created is in use.');
    for (const line of Removed) context.print(line);
    return 0;
  },
};

export const recover: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'data-root', type: 'string', help: "The daemon's data root (default: from its configuration file)" },
    { name: 'config-file', type: 'string', help: "The daemon's configuration file" },
    { name: 'dry-run', type: 'bool', help: 'Print what would be rebuilt, without changing anything' },
  ],
  description:
    'Rebuilds the database of a daemon that does not start, from its backup and the record files. Stop the daemon\n' +
    'first. Deletes nothing: the old database is renamed.',
  examples: ['netyard system recover --dry-run', 'netyard system recover --data-root /var/lib/netyard'],
  run: async (context, { flags }) => {
    const { recoverDataRoot } = await import('@netyard/daemon');
    const { lines } = await recoverDataRoot({
      dataRoot: flags.text('data-root'),
      configFile: flags.text('config-file'),
      dryRun: flags.bool('dry-run'),
    });
    for (const line of lines) context.print(line);
    return 0;
  },
};

export const explain: CommandSpec = {
  usage: '[OPTIONS] CONTAINER|NETWORK|PEER',
  args: [1, 1],
  flags: [{ name: 'json', type: 'bool', help: 'Print the kernel objects as JSON, each with its equivalent commands' }],
  description:
    'The script creates the same objects on an empty host. The script of a peer requires the network bridge.\n' +
    'Of containers and networks of other engines (NAME, or ENGINE/NAME: docker, podman, containerd) and of network\n' +
    'namespaces, as root and without a daemon, it creates the links, addresses and routes that are observed.',
  examples: [
    'netyard explain nginx-3',
    'netyard explain bridge | less',
    'netyard explain nginx-3 | sudo sh',
    'sudo netyard explain docker/web',
  ],
  complete: 'containers',
  run: async (context, { args: [ref = ''], flags }) => {
    const { Objects, Script } = await explainAny(context, ref);
    if (flags.bool('json')) context.print(JSON.stringify(Objects, null, 2));
    else writeScript(context, Script);
    return 0;
  },
};

async function explainAny(context: Context, ref: string): Promise<Omit<ExplainResponse, 'Ref'>> {
  try {
    return await context.client().system.explain(ref);
  } catch (error) {
    const { explainOther } = await import('../topology/explain.ts');
    const explanation = await explainOther(context, ref, error);
    const { printExplanation } = await import('@netyard/topology');
    const objects = explanation.steps.map(({ commands, ...step }) => ({ ...step, shell: commands.join('\n') }));
    return { Objects: objects, Script: printExplanation(explanation) };
  }
}

function writeScript(context: Context, script: string): void {
  context.write(script.endsWith('\n') ? script : `${script}\n`);
}
