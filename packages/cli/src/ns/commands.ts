/** `ns ls`, `ns add` and `ns rm`: network namespaces, compatible with `ip netns`. */
import { NetyardError } from '@netyard/core';
import { throwAll } from '../failure.ts';
import { type Listing, type Row, renderListing } from '../format/listing.ts';
import { formatFlag } from '../options/shared-flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { applyChange, planFlags } from './apply-plan.ts';

const listing: Listing = {
  headers: { Name: 'NAME', Interfaces: 'INTERFACES', Addresses: 'ADDRESSES' },
  columns: ['Name', 'Interfaces', 'Addresses'],
  quiet: 'Name',
  typeName: 'namespace',
};

export const nsLs: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [formatFlag, { name: 'quiet', short: 'q', type: 'bool', help: 'Only display names' }],
  examples: ['netyard ns ls', 'netyard ns ls -q'],
  run: async (context, { flags }) => {
    const { listNetns, openKernel } = await import('@netyard/kernel');
    const kernel = openKernel();
    try {
      const rows: Row[] = [];
      for (const { name, path } of listNetns()) {
        const links = await kernel.listLinks(path);
        const addresses = await kernel.listAddresses(path);
        rows.push({
          Name: name,
          Interfaces: links.map((link) => link.name).join(','),
          Addresses: addresses.map((address) => `${address.link}=${address.prefix}`).join(','),
        });
      }
      context.write(renderListing(listing, rows, { format: flags.text('format'), quiet: flags.bool('quiet') }));
      return 0;
    } finally {
      kernel.close();
    }
  },
};

export const nsAdd: CommandSpec = {
  usage: '[OPTIONS] NAME [NAME...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: planFlags,
  examples: ['netyard ns add r1 r2'],
  complete: 'none',
  run: async (context, { args, flags }) => {
    const { createNetns, deleteNetns, netnsExists, netnsPath } = await import('@netyard/kernel');
    const paths = args.map((name) => netnsPath(name));
    const taken = args.find((_name, index) => netnsExists(paths[index] ?? ''));
    if (taken !== undefined) {
      throw new NetyardError(
        'conflict',
        `Cannot create namespace file ${JSON.stringify(netnsPath(taken))}: File exists`,
      );
    }
    const done: string[] = [];
    try {
      for (const [index, path] of paths.entries()) {
        await applyChange(context, flags, ['ip', 'netns', 'add', args[index] ?? ''], () => {
          createNetns(path);
          done.push(path);
        });
      }
    } catch (error) {
      for (const path of done) deleteNetns(path);
      throw error;
    }
    return 0;
  },
};

export const nsRm: CommandSpec = {
  usage: '[OPTIONS] NAME [NAME...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: planFlags,
  examples: ['netyard ns rm r1 r2'],
  complete: 'namespaces',
  run: async (context, { args, flags }) => {
    const { deleteNetns, netnsPath } = await import('@netyard/kernel');
    const { existsSync } = await import('node:fs');
    const paths = args.map((name) => netnsPath(name));
    const errors: unknown[] = [];
    for (const [index, path] of paths.entries()) {
      const name = args[index] ?? '';
      try {
        if (!existsSync(path)) {
          throw new NetyardError(
            'not-found',
            `Cannot remove namespace file ${JSON.stringify(path)}: No such file or directory`,
          );
        }
        await applyChange(context, flags, ['ip', 'netns', 'delete', name], () => deleteNetns(path));
      } catch (error) {
        errors.push(error);
      }
    }
    throwAll(errors);
    return 0;
  },
};
