/** The kernel box's printer in the form that docker-api, which does not know the kernel, asks for. */
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
