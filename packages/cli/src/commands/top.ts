/** `top`: lists the processes of a container. */
import { alignTabs } from '../format/table.ts';
import type { CommandSpec } from '../program/spec.ts';

export const top: CommandSpec = {
  usage: 'CONTAINER [ps OPTIONS]',
  args: [1, Number.POSITIVE_INFINITY],
  stopAtArgument: true,
  flags: [],
  examples: ['netyard top web', 'netyard top web -o pid,comm'],
  complete: 'running',
  run: async (context, { args: [ref = '', ...options] }) => {
    const { Titles, Processes } = await context.client().containers.top(ref, options.join(' '));
    const lines = [Titles, ...Processes].map((cells) => cells.join('\t'));
    context.write(alignTabs(`${lines.join('\n')}\n`, { minWidth: 20, padding: 3 }));
    return 0;
  },
};
