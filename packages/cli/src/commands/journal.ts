/** `journal`: network changes and repairs that the daemon has recorded. */
import type { JournalEntry } from '@netyard/api-types';
import { NetyardError } from '@netyard/core';
import { timestampOf } from '../options/timestamp.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';

export const journal: CommandSpec = {
  usage: '[OPTIONS] [CONTAINER|NETWORK|PEER|INTERFACE] | --diff TIME [TIME]',
  args: [0, 2],
  flags: [
    {
      name: 'diff',
      type: 'bool',
      help: 'Print the commands that lead from the network at one time to that at another (default now)',
    },
    { name: 'json', type: 'bool', help: 'Print one JSON object per entry' },
    {
      name: 'since',
      type: 'string',
      help: 'Show entries since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
    { name: 'until', type: 'string', help: 'Show entries before a timestamp or relative (e.g. "42m" for 42 minutes)' },
  ],
  description:
    'Prints containers that started and stopped, changes of networks, peers and ports, what other programs changed and the\n' +
    'commands that repaired it, failed repairs, conflicts of routes, and dropped packets with their reasons; newest last.\n' +
    '--diff compares the network at two times. Entries are kept for 7 days and 8 MiB (--journal-age and --journal-size of\n' +
    'the daemon).',
  examples: [
    'netyard journal',
    'netyard journal web --since 1h',
    'netyard journal docker0 --json',
    'netyard journal --diff 2h 10m',
  ],
  complete: 'targets',
  run: async (context, { args, flags }) => {
    if (flags.bool('diff')) {
      if (flags.text('since') !== '' || flags.text('until') !== '')
        throw new NetyardError('invalid', '--diff excludes --since and --until', {
          hint: 'give the times as arguments, for example: netyard journal --diff 2h 10m',
        });
      return await printDifference(context, args, flags.bool('json'));
    }
    const [target, ...more] = args;
    if (more.length > 0) throw new NetyardError('invalid', 'one name selects entries; two times need --diff');
    const entries = context.client().system.journal({
      target,
      since: timestampOf(flags.text('since'), context.clock),
      until: timestampOf(flags.text('until'), context.clock),
    });
    const format = flags.bool('json') ? (entry: JournalEntry) => JSON.stringify(entry) : formatEntry;
    for await (const entry of entries) context.print(format(entry));
    return 0;
  },
};

async function printDifference(context: Context, args: readonly string[], isJson: boolean): Promise<number> {
  const [first = '', second = ''] = args;
  const [from, to] = [timestampOf(first, context.clock), timestampOf(second, context.clock)];
  if (from === undefined)
    throw new NetyardError('invalid', '--diff requires a time', { hint: 'for example: netyard journal --diff 2h 10m' });
  const difference = await context.client().system.journalDifference(from, to);
  if (isJson) context.print(JSON.stringify(difference));
  else {
    context.print(`# from the network of ${difference.From} to that of ${difference.To}`);
    for (const command of difference.Commands) context.print(command);
    if (difference.Commands.length === 0) context.print('# no difference');
  }
  return 0;
}

/** `2026-11-23T20:31:07.123Z  repair         network bridge  route … was missing; repaired by: ip route add …`, in UTC. */
export function formatEntry({ Time, Kind, Object: object, Text }: JournalEntry): string {
  const time = Time.replace(/(\.\d{3})\d*Z$/, '$1Z');
  return `${time}  ${Kind.padEnd(13)}  ${object}  ${Text.replaceAll('\n', ' ')}`;
}
