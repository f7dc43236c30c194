/** `ns exec`: runs a command in a network namespace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { NetyardError } from '@netyard/core';
import { Failure } from '../failure.ts';
import type { CommandSpec } from '../program/spec.ts';
import { namespaces } from './apply-plan.ts';

export const nsExec: CommandSpec = {
  usage: 'NAME [--] COMMAND [ARG...]',
  args: [2, Number.POSITIVE_INFINITY],
  stopAtArgument: true,
  flags: [],
  description:
    "Changes only the network namespace, like nsenter --net (ip netns exec also mounts a new /sys). The exit code\nis the command's.",
  examples: ['netyard ns exec r1 ip address', 'netyard ns exec r1 -- ping -c 1 10.1.1.2'],
  complete: 'namespaces',
  run: async (_context, { args: [name = '', ...rest] }) => {
    const { openInNetns } = await import('@netyard/kernel');
    const path = (await namespaces())(name);
    if (path === undefined) throw new NetyardError('invalid', 'Invalid netns name ""');
    const [command = '', ...words] = rest[0] === '--' ? rest.slice(1) : rest;
    if (command === '') throw new Failure("netyard: 'netyard ns exec' requires a command");
    // The child inherits the namespace of the calling thread (fork(2)).
    const child = openInNetns(path, () => spawn(command, words, { stdio: 'inherit' }));
    return await exitCodeOf(child, command);
  },
};

/** The terminal sends SIGINT and SIGQUIT to the child too; the others are forwarded. Waits for the child. */
async function exitCodeOf(child: ChildProcess, command: string): Promise<number> {
  const signals = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const;
  const pass = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGTERM' || signal === 'SIGHUP') child.kill(signal);
  };
  for (const signal of signals) process.on(signal, pass);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) => {
        const missing = error.code === 'ENOENT';
        reject(
          new Failure(
            `exec of ${JSON.stringify(command)} failed: ${missing ? 'No such file or directory' : error.message}`,
            missing ? 127 : 126,
          ),
        );
      });
      child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    for (const signal of signals) process.off(signal, pass);
  }
}
