/** Carries out a plan of the `ns` commands, or shows it. No daemon: straight on the kernel box. */

import { KernelError, NetyardError } from '@netyard/core';
import type { KernelPlan } from '@netyard/kernel';
import type { Context } from '../program/context.ts';
import type { FlagSpec, Flags } from '../program/flags.ts';
import type { PathOf } from './plan.ts';

export const planFlags: readonly FlagSpec[] = [
  { name: 'dry-run', type: 'bool', help: 'Print what would be done, as shell commands; do nothing' },
  { name: 'explain', type: 'bool', help: 'Print the shell commands that do the same, and do it' },
];

/** Names are checked, and must be there. */
export async function namespaces(): Promise<PathOf> {
  const { netnsExists, netnsPath } = await import('@netyard/kernel');
  return (name) => {
    if (name === '') return undefined;
    const path = netnsPath(name);
    if (!netnsExists(path)) {
      throw new NetyardError(
        'not-found',
        `Cannot open network namespace ${JSON.stringify(name)}: No such file or directory`,
        {
          hint: `Make it first: netyard ns add ${name}`,
        },
      );
    }
    return path;
  };
}

/** Applies; what is there already as wanted is left alone. */
export async function carryOut(context: Context, flags: Flags, plan: KernelPlan): Promise<number> {
  const { openKernel, printOperation } = await import('@netyard/kernel');
  const kernel = openKernel();
  try {
    const { operations } = await kernel.apply(plan, { dryRun: flags.bool('dry-run') });
    if (flags.bool('dry-run') || flags.bool('explain')) {
      for (const operation of operations) context.print(printOperation(operation));
    }
    return 0;
  } catch (error) {
    throw inIpsWords(error);
  } finally {
    kernel.close();
  }
}

/** The same for a change that is no plan: `command` is its twin. */
export async function carryOutChange(
  context: Context,
  flags: Flags,
  command: readonly string[],
  change: () => void,
): Promise<number> {
  const { quoteWord } = await import('@netyard/kernel');
  if (flags.bool('dry-run') || flags.bool('explain')) context.print(command.map(quoteWord).join(' '));
  if (flags.bool('dry-run')) return 0;
  try {
    change();
  } catch (error) {
    throw inIpsWords(error);
  }
  return 0;
}

/** A link that is not there, as ip tells of it. */
function inIpsWords(error: unknown): unknown {
  if (!(error instanceof KernelError) || error.errnoName !== 'ENODEV') return error;
  const [, link = '', ns] = /^(\S+)(?: in (?:\/run\/netns\/)?(\S+))?$/.exec(error.object) ?? [];
  if (link === '') return error;
  const where = ns === undefined ? '' : ` in namespace ${ns}`;
  return new NetyardError('not-found', `Cannot find device ${JSON.stringify(link)}${where}`, { cause: error });
}
