/** Entry point of `bin/netyard`: connects the CLI with the process's streams, environment and exit code. */
import { systemClock } from '@netyard/core';
import { main } from './netyard.ts';

const { stdin, stdout, stderr, env } = process;

// A reader that exits early (`netyard ps | head -1`) ends the command without a message.
for (const output of [stdout, stderr]) {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    throw error;
  });
}

const code = await main(process.argv.slice(2), { stdin, stdout, stderr, env, clock: systemClock, cwd: process.cwd() });
process.exitCode = code === 0 ? (process.exitCode ?? 0) : code;
