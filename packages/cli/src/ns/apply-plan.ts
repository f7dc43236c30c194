/** Applies the plan of an `ns` command, or prints it. Uses the package `kernel` directly, without a daemon. */

import { KernelError, NetyardError } from '@netyard/core';
import type { KernelPlan } from '@netyard/kernel';
import type { Context } from '../program/context.ts';
import type { FlagSpec, Flags } from '../program/flags.ts';
import type { PathOf } from './plan.ts';

export const planFlags: readonly FlagSpec[] = [
  { name: 'dry-run', type: 'bool', help: 'Print the equivalent shell commands, without running them' },
  { name: 'explain', type: 'bool', help: 'Also print the equivalent shell commands' },
];

/** Resolves names of namespaces; throws for invalid and missing ones. */
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
          hint: `create it with \`netyard ns add ${name}\``,
        },
      );
    }
    return path;
  };
}

/** Applies a plan; objects that already match it are left unchanged. */
export async function applyPlan(context: Context, flags: Flags, plan: KernelPlan): Promise<number> {
  const { openKernel, printOperation } = await import('@netyard/kernel');
  const kernel = openKernel();
  try {
    const { operations } = await kernel.apply(plan, { dryRun: flags.bool('dry-run') });
    if (flags.bool('dry-run') || flags.bool('explain')) {
      for (const operation of operations) context.print(printOperation(operation));
    }
    return 0;
  } catch (error) {
    throw withIpMessage(error);
  } finally {
    kernel.close();
  }
}

/** The same for a change that is not a plan; `command` is the equivalent command. */
export async function applyChange(
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
    throw withIpMessage(error);
  }
  return 0;
}

/** Replaces ENODEV by ip's message. */
function withIpMessage(error: unknown): unknown {
  if (!(error instanceof KernelError) || error.errnoName !== 'ENODEV') return error;
  const [, link = '', ns] = /^(\S+)(?: in (?:\/run\/netns\/)?(\S+))?$/.exec(error.object) ?? [];
  if (link === '') return error;
  const where = ns === undefined ? '' : ` in namespace ${ns}`;
  return new NetyardError('not-found', `Cannot find device ${JSON.stringify(link)}${where}`, { cause: error });
}
