/** Translates kernel plans into Netyard's own JSON: equivalent commands and descriptions. Pure, as printing is. */
import type { DryRunResponse, ExplainResponse } from '@netyard/api-types';
import type { Networks } from '@netyard/sandbox';
import type { ShellPrinter } from '../options.ts';

export function translatePlan(
  ref: string,
  plan: ReturnType<Networks['explain']>,
  shell: ShellPrinter,
): ExplainResponse {
  return {
    Ref: ref,
    Objects: plan.objects.map((object) => ({
      kind: object.kind,
      description: shell.describe(object),
      shell: shell.printObject(object),
    })),
    Script: shell.printPlan(plan),
  };
}

export function translateOperations(
  operations: Awaited<ReturnType<Networks['planPrepare']>>,
  shell: ShellPrinter,
): DryRunResponse {
  return {
    DryRun: true,
    Operations: operations.map((operation) => ({
      action: operation.action,
      description: shell.describe(operation.object),
      shell: shell.printOperation(operation),
    })),
    Script: shell.printOperations(operations),
  };
}
