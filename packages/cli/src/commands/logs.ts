/** `logs`: prints the output of a container. */
import { demultiplex, rawOutput } from '@netyard/client';
import { messageOf } from '@netyard/core';
import { Failure } from '../failure.ts';
import { timestampOf } from '../options/timestamp.ts';
import type { CommandSpec } from '../program/spec.ts';
import { writeAll } from '../terminal/stream.ts';

export const logs: CommandSpec = {
  usage: '[OPTIONS] CONTAINER',
  args: [1, 1],
  flags: [
    { name: 'details', type: 'bool', help: 'Show extra details provided to logs' },
    { name: 'follow', short: 'f', type: 'bool', help: 'Follow log output' },
    {
      name: 'since',
      type: 'string',
      help: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
    {
      name: 'tail',
      short: 'n',
      type: 'string',
      help: 'Number of lines to show from the end of the logs',
      default: 'all',
    },
    { name: 'timestamps', short: 't', type: 'bool', help: 'Show timestamps' },
    {
      name: 'until',
      type: 'string',
      help: 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
  ],
  examples: ['netyard logs -f web', 'netyard logs --since 10m --tail 100 -t web'],
  complete: 'containers',
  run: async (context, { args: [ref = ''], flags }) => {
    const { containers } = context.client();
    const container = await containers.inspect(ref);
    const time = (name: string): string | undefined => {
      try {
        return timestampOf(flags.text(name), context.clock);
      } catch (error) {
        throw new Failure(`invalid value for "${name}": ${messageOf(error)}`);
      }
    };
    const stream = await containers.logs(container.Id, {
      stdout: true,
      stderr: true,
      follow: flags.bool('follow'),
      timestamps: flags.bool('timestamps'),
      details: flags.bool('details'),
      since: time('since'),
      until: time('until'),
      tail: flags.text('tail'),
    });
    const frames = container.Config.Tty ? rawOutput(stream) : demultiplex(stream);
    for await (const { stream: name, data } of frames) {
      await writeAll(name === 'stderr' ? context.stderr : context.stdout, data);
    }
    return 0;
  },
};
