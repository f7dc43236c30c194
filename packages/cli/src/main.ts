/** The command's entry: streams, environment and exit code. `bin/netyard` starts this file. */
import { systemClock } from '@netyard/core';
import { HelpRequested, runCommandLine } from './program/command.ts';
import type { Outside } from './program/context.ts';
import { describeError, Failure } from './program/failure.ts';
import { rootEntry } from './program/registry.ts';

/** Runs one command line and resolves with its exit code; what went wrong is on stderr then. */
export async function main(argv: string[], outside: Outside): Promise<number> {
  try {
    return await runCommandLine(rootEntry, argv, outside);
  } catch (error) {
    if (error instanceof HelpRequested) {
      outside.stdout.write(error.text);
      return 0;
    }
    const text = error instanceof Failure ? error.message : describeError(error);
    if (text !== '') outside.stderr.write(`${text}\n`);
    return error instanceof Failure ? error.exitCode : 1;
  }
}

const { stdin, stdout, stderr, env } = process;

// A reader that went away (`netyard ps | head -1`) ends the command, quietly.
for (const output of [stdout, stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    throw error;
  });
}

const code = await main(process.argv.slice(2), { stdin, stdout, stderr, env, clock: systemClock, cwd: process.cwd() });
process.exitCode = code === 0 ? (process.exitCode ?? 0) : code;
