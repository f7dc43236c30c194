/** Runs one command line and prints its errors. */

import { rootEntry } from './command-table.ts';
import { describeError, Failure } from './failure.ts';
import { textFor } from './format/escape.ts';
import { HelpRequested, runCommandLine } from './program/command.ts';
import type { Environment } from './program/context.ts';

/** Runs one command line and resolves with its exit code; errors are printed on stderr. */
export async function main(argv: string[], outside: Environment): Promise<number> {
  try {
    return await runCommandLine(rootEntry, argv, outside);
  } catch (error) {
    if (error instanceof HelpRequested) {
      outside.stdout.write(error.text);
      return 0;
    }
    const text = error instanceof Failure ? error.message : describeError(error);
    if (text !== '') outside.stderr.write(textFor(outside.stderr, `${text}\n`));
    return error instanceof Failure ? error.exitCode : 1;
  }
}
