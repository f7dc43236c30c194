/** `commit`: an image of a container's changes. */
import { NetyardError } from '@netyard/core';
import { parseReference } from '../options/reference.ts';
import type { CommandSpec } from '../program/spec.ts';

export const commit: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  args: [1, 2],
  flags: [
    {
      name: 'author',
      short: 'a',
      type: 'string',
      help: 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")',
    },
    { name: 'change', short: 'c', type: 'list', help: 'Apply Dockerfile instruction to the created image' },
    { name: 'message', short: 'm', type: 'string', help: 'Commit message' },
    { name: 'pause', short: 'p', type: 'bool', help: 'Pause container during commit', default: 'true' },
  ],
  examples: ['netyard commit web web:2', "netyard commit -c 'USER www-data' -m release web team/web"],
  complete: 'containers',
  run: async (context, { args: [ref = '', name], flags }) => {
    const reference = name === undefined ? undefined : parseReference(name);
    if (reference?.digest !== undefined) {
      throw new NetyardError('invalid', 'refusing to create a tag with a digest reference');
    }
    const id = await context.client().containers.commit(ref, {
      repository: reference?.name ?? '',
      tag: reference === undefined ? '' : (reference.tag ?? 'latest'),
      comment: flags.text('message'),
      author: flags.text('author'),
      pause: flags.bool('pause'),
      changes: flags.list('change'),
    });
    context.print(id);
    return 0;
  },
};
