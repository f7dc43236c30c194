/** `web`: the address of the topology page. */
import type { CommandSpec } from '../program/spec.ts';

export const web: CommandSpec = {
  usage: '',
  args: [0, 0],
  flags: [],
  description:
    'The address opens the page once, within five minutes; the browser stays logged in for twelve hours. The daemon\n' +
    'serves the page if it was started with --web ADDRESS. For the page of a remote host, forward its port first:\n' +
    'ssh -L 7420:127.0.0.1:7420 HOST.',
  examples: ['netyard web'],
  complete: 'none',
  run: async (context) => {
    const { Url } = await context.client().system.page();
    context.write(`${Url}\n`);
    return 0;
  },
};
