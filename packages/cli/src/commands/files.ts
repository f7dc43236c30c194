/** `diff` and `export`: changed files of a container, and its file system as a tar. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Failure } from '../failure.ts';
import type { CommandSpec } from '../program/spec.ts';

export const diff: CommandSpec = {
  usage: 'CONTAINER',
  args: [1, 1],
  flags: [],
  examples: ['netyard diff web'],
  complete: 'containers',
  run: async (context, { args: [ref = ''] }) => {
    const changes = (await context.client().containers.changes(ref)) ?? [];
    const letters = ['C', 'A', 'D'] as const;
    for (const { Kind, Path } of changes) context.print(`${letters[Kind]} ${Path}`);
    return 0;
  },
};

export const exportContainer: CommandSpec = {
  usage: '[OPTIONS] CONTAINER',
  args: [1, 1],
  flags: [{ name: 'output', short: 'o', type: 'string', help: 'Write to a file, instead of STDOUT' }],
  examples: ['netyard export -o web.tar web'],
  complete: 'containers',
  run: async (context, { args: [ref = ''], flags }) => {
    const output = flags.text('output');
    if (output === '' && context.stdout.isTTY) {
      throw new Failure('cowardly refusing to save to a terminal. Use the -o flag or redirect');
    }
    const stream = await context.client().containers.export(ref);
    await pipeline(stream, output === '' ? context.stdout : createWriteStream(output), { end: output !== '' });
    return 0;
  },
};
