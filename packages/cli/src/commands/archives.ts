/** `load`, `import` and `save`: images as tar files. */
import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NetyardError } from '@netyard/core';
import { Failure } from '../failure.ts';
import { parseReference } from '../options/reference.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';
import { showProgress } from '../terminal/progress.ts';

const stdinOf = ({ stdin }: Context): Readable =>
  Readable.from(stdin as AsyncIterable<Uint8Array>, { objectMode: false });

function openFile(path: string): Readable {
  if (!existsSync(path)) throw new NetyardError('invalid', `open ${path}: no such file or directory`);
  if (statSync(path).isDirectory()) throw new NetyardError('invalid', `read ${path}: is a directory`);
  return createReadStream(path);
}

export const load: CommandSpec = {
  usage: '[OPTIONS]',
  args: [0, 0],
  flags: [
    { name: 'input', short: 'i', type: 'string', help: 'Read from tar archive file, instead of STDIN' },
    { name: 'platform', type: 'string', help: 'Load only the given platform variant' },
    { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress the load output' },
  ],
  examples: ['netyard load -i nginx-web01.tar', 'netyard load < nginx-web01.tar'],
  complete: 'files',
  run: async (context, { flags }) => {
    const input = flags.text('input');
    if (input === '' && context.stdin.isTTY) throw new Failure('requested load from stdin, but stdin is empty');
    const archive = input === '' ? stdinOf(context) : openFile(input);
    const quiet = flags.bool('quiet') || !context.stdout.isTTY;
    await showProgress(
      context.client().images.load(archive, { quiet, platform: flags.text('platform') }),
      context.stdout,
    );
    return 0;
  },
};

export const importImage: CommandSpec = {
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: 'change', short: 'c', type: 'list', help: 'Apply Dockerfile instruction to the created image' },
    { name: 'message', short: 'm', type: 'string', help: 'Set commit message for imported image' },
    { name: 'platform', type: 'string', help: 'Set platform if server is multi-platform capable' },
  ],
  examples: ['netyard import rootfs.tar base:1', 'netyard import -c \'CMD ["/bin/sh"]\' - base < rootfs.tar'],
  complete: 'files',
  run: async (context, { args: [source = '', name], flags }) => {
    const isUrl = /^https?:\/\//.test(source);
    const archive = source === '-' ? stdinOf(context) : isUrl ? undefined : openFile(source);
    const reference = name === undefined ? undefined : parseReference(name);
    const messages = context.client().images.import(archive, {
      source: isUrl ? source : '-',
      repository: reference?.name ?? '',
      tag: reference?.tag ?? '',
      message: flags.text('message'),
      changes: flags.list('change'),
      platform: flags.text('platform'),
    });
    await showProgress(messages, context.stdout);
    return 0;
  },
};

export const save: CommandSpec = {
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: 'output', short: 'o', type: 'string', help: 'Write to a file, instead of STDOUT' },
    { name: 'platform', type: 'string', help: 'Save only the given platform variant' },
  ],
  examples: ['netyard save -o web.tar nginx-web01', 'netyard save nginx-web01 | gzip > web.tar.gz'],
  complete: 'images',
  run: async (context, { args, flags }) => {
    const output = flags.text('output');
    if (output === '' && context.stdout.isTTY) {
      throw new Failure('cowardly refusing to save to a terminal. Use the -o flag or redirect');
    }
    const stream = await context.client().images.save(args, { platform: flags.text('platform') });
    await pipeline(stream, output === '' ? context.stdout : createWriteStream(output), { end: output !== '' });
    return 0;
  },
};
