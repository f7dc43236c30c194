/** Adapts the kernel package's printer for docker-api, which does not depend on kernel. */
import type { ShellPrinter } from '@netyard/docker-api';
import { describeObject, type KernelOperation, printCommands, printShell } from '@netyard/kernel';

const printOperation = (operation: KernelOperation): string => printCommands(operation).join('\n');

export const shellPrinter: ShellPrinter = {
  printPlan: printShell,
  printObject: (object) => printOperation({ action: 'create', object }),
  printOperation,
  printOperations: (operations) => operations.map((operation) => `${printOperation(operation)}\n`).join(''),
  describe: describeObject,
};
