/** What would be done, as the shell commands that would do it. */
import type { DryRunResponse } from '@netyard/api-types';
import type { Context } from '../program/context.ts';

export function printDryRun(context: Context, plan: DryRunResponse): void {
  if (plan.Operations.length === 0) context.print('# nothing to do');
  for (const { action, description, shell } of plan.Operations) {
    context.print(`# ${action} ${description}`);
    if (shell !== '') context.print(shell);
  }
}
