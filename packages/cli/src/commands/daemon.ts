/** `daemon` stands in the help; `bin/netyard` starts the daemon's own entry when it is the first word. */
import { Failure } from '../program/failure.ts';
import type { CommandSpec } from '../program/spec.ts';

export const daemon: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, Number.POSITIVE_INFINITY],
  flags: [],
  stopAtArgument: true,
  examples: ['netyard daemon', 'netyard daemon --bip=192.168.11.1/24'],
  run: async () => {
    throw new Failure('daemon must be the first word: netyard daemon [OPTIONS]');
  },
};
