/** `stop`, `restart`, `kill`, `pause`, `rename`, `rm`, `wait` …: commands that change containers. */
import { isNetyardError } from '@netyard/core';
import { describeError, Failure } from '../failure.ts';
import type { FlagSpec } from '../program/flags.ts';
import type { CommandSpec } from '../program/spec.ts';
import { dryRunEach, dryRunFlag } from './dry-run.ts';
import { attemptEach, forEach } from './for-each.ts';

const many = { args: [1, Number.POSITIVE_INFINITY] as const };
const usage = '[OPTIONS] CONTAINER [CONTAINER...]';

const stopFlags: readonly FlagSpec[] = [
  { name: 'signal', short: 's', type: 'string', help: 'Signal to send to the container' },
  { name: 'timeout', short: 't', type: 'int', help: 'Seconds to wait before killing the container' },
  { name: 'time', type: 'int', help: 'Seconds to wait before killing the container', hidden: true },
];

type StopFlags = Parameters<CommandSpec['run']>[1]['flags'];

const stopCall = (flags: StopFlags): { timeout: number | undefined; signal: string } => {
  const given = ['timeout', 'time'].find((name) => flags.has(name));
  return { timeout: given === undefined ? undefined : flags.number(given), signal: flags.text('signal') };
};

export const stop: CommandSpec = {
  usage,
  ...many,
  flags: [dryRunFlag, ...stopFlags],
  examples: ['netyard stop web', 'netyard stop -t 0 web db', 'netyard stop --dry-run web'],
  complete: 'running',
  run: (context, { args, flags }) => {
    const { containers } = context.client();
    if (flags.bool('dry-run')) return dryRunEach(context, args, (ref) => containers.planStop(ref, stopCall(flags)));
    return forEach(context, args, (ref) => containers.stop(ref, stopCall(flags)));
  },
};

export const restart: CommandSpec = {
  usage,
  ...many,
  flags: stopFlags,
  examples: ['netyard restart web'],
  complete: 'containers',
  run: (context, { args, flags }) =>
    forEach(context, args, (ref) => context.client().containers.restart(ref, stopCall(flags))),
};

export const kill: CommandSpec = {
  usage,
  ...many,
  flags: [{ name: 'signal', short: 's', type: 'string', help: 'Signal to send to the container' }],
  examples: ['netyard kill web', 'netyard kill -s HUP web'],
  complete: 'running',
  run: (context, { args, flags }) =>
    forEach(context, args, (ref) => context.client().containers.kill(ref, flags.text('signal'))),
};

export const pause: CommandSpec = {
  usage: 'CONTAINER [CONTAINER...]',
  ...many,
  flags: [],
  examples: ['netyard pause web'],
  complete: 'running',
  run: (context, { args }) => forEach(context, args, (ref) => context.client().containers.pause(ref)),
};

export const unpause: CommandSpec = {
  usage: 'CONTAINER [CONTAINER...]',
  ...many,
  flags: [],
  examples: ['netyard unpause web'],
  complete: 'running',
  run: (context, { args }) => forEach(context, args, (ref) => context.client().containers.unpause(ref)),
};

export const rename: CommandSpec = {
  usage: 'CONTAINER NEW_NAME',
  args: [2, 2],
  flags: [],
  examples: ['netyard rename nginx-1 web'],
  complete: 'containers',
  run: async (context, { args: [from = '', to = ''] }) => {
    try {
      await context.client().containers.rename(from, to);
    } catch (error) {
      throw new Failure(`${describeError(error)}\nError: failed to rename container named ${from}`);
    }
    return 0;
  },
};

export const rm: CommandSpec = {
  usage,
  ...many,
  flags: [
    dryRunFlag,
    { name: 'force', short: 'f', type: 'bool', help: 'Force the removal of a running container (uses SIGKILL)' },
    { name: 'link', short: 'l', type: 'bool', help: 'Remove the specified link' },
    { name: 'volumes', short: 'v', type: 'bool', help: 'Remove anonymous volumes associated with the container' },
  ],
  examples: [
    'netyard rm web',
    'netyard rm -f $(netyard ps -aq)',
    'netyard rm -f --dry-run web',
    'netyard rm --link nginx-2/nginx-1',
  ],
  complete: 'containers',
  run: (context, { args, flags }) => {
    const call = { force: flags.bool('force'), volumes: flags.bool('volumes'), link: flags.bool('link') };
    const { containers } = context.client();
    const nameOf = (ref: string): string => ref.replace(/^\/+/, '');
    if (flags.bool('dry-run')) return dryRunEach(context, args, (ref) => containers.planRemove(nameOf(ref), call));
    return attemptEach(args, async (ref) => {
      try {
        await containers.remove(nameOf(ref), call);
      } catch (error) {
        if (!call.force || !isNetyardError(error, 'not-found')) throw error;
        return context.warn(describeError(error)); // with -f a missing container is no error
      }
      context.print(ref);
    });
  },
};

/** Prints exit codes, one per line. */
export const wait: CommandSpec = {
  usage: 'CONTAINER [CONTAINER...]',
  ...many,
  flags: [],
  examples: ['netyard wait job'],
  complete: 'running',
  run: (context, { args }) =>
    attemptEach(args, async (ref) => {
      const { done } = await context.client().containers.wait(ref);
      context.print(String((await done).StatusCode));
    }),
};
