/** `--dry-run`: prints the equivalent commands of the operations without running them. */
import type { DryRunResponse } from '@netyard/api-types';
import type { Context } from '../program/context.ts';
import { attemptEach } from './for-each.ts';

export const dryRunFlag = {
  name: 'dry-run',
  type: 'bool',
  help: 'Print the network operations as shell commands, without running them',
} as const;

export function printDryRun(context: Context, plan: DryRunResponse): void {
  if (plan.Operations.length === 0) context.print('# no changes');
  for (const { action, description, shell } of plan.Operations) {
    context.print(`# ${action} ${description}`);
    if (shell !== '') context.print(shell);
  }
}

export function dryRunEach(
  context: Context,
  refs: readonly string[],
  plan: (ref: string) => Promise<DryRunResponse>,
): Promise<number> {
  return attemptEach(refs, async (ref) => printDryRun(context, await plan(ref)));
}
