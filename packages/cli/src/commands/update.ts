/** `update`: changes limits and restart policy of containers. */
import { type ContainerUpdateRequest, containerUpdate } from '@netyard/api-types';
import { Failure } from '../failure.ts';
import { commandFlags } from '../options/command-flags.ts';
import { fillGiven } from '../options/fill-fields.ts';
import type { CommandSpec } from '../program/spec.ts';

const updateFlags = commandFlags('update').map(({ default: _none, ...flag }) => flag);

export const update: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: updateFlags,
  examples: ['netyard update --restart always web', 'netyard update -m 256m --memory-swap 512m web'],
  complete: 'containers',
  run: async (context, { args, flags }) => {
    if (!updateFlags.some(({ name }) => flags.has(name))) {
      throw new Failure('you must provide one or more flags when using this command');
    }
    const body: ContainerUpdateRequest = fillGiven(containerUpdate, flags);
    const warnings: string[] = [];
    for (const ref of args) {
      warnings.push(...((await context.client().containers.update(ref, body)).Warnings ?? []));
      context.print(ref);
    }
    if (warnings.length > 0) context.print(warnings.join('\n'));
    return 0;
  },
};
