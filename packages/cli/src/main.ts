/** Entry point of `bin/netyard`: connects the CLI with the process's streams, environment and exit code. */
import { systemClock } from '@netyard/core';
import { main } from './netyard.ts';
import type { Environment } from './program/context.ts';

// A reader that exits early (`netyard ps | head -1`) ends the command without a message.
function endWhenUnread<T extends NodeJS.WriteStream>(output: T): T {
  if (output.listenerCount('error') > 0) return output;
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    throw error;
  });
  return output;
}

/** Node opens each stream when it is first read: most commands use only one. */
const outside: Environment = {
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return endWhenUnread(process.stdout);
  },
  get stderr() {
    return endWhenUnread(process.stderr);
  },
  env: process.env,
  clock: systemClock,
  get cwd() {
    return process.cwd();
  },
};

/** The event loop is empty, but the command still waits for something. */
const failUnfinished = (): void => {
  outside.stderr.write('netyard: the command ended before it was complete\n');
  process.exitCode = 13;
};
process.once('beforeExit', failUnfinished);

main(process.argv.slice(2), outside).then((code) => {
  process.off('beforeExit', failUnfinished);
  process.exitCode = code === 0 ? (process.exitCode ?? 0) : code;
});
