/** `stats`: shows resource usage of containers, live or once. */
import type { ContainerStats } from '@netyard/api-types';
import { renderListing } from '../format/listing.ts';
import { statsListing, statsRow } from '../format/stats.ts';
import { formatFlag, noTruncFlag } from '../options/shared-flags.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';

interface Watched {
  ref: string;
  id: string;
  name: string;
  stats: ContainerStats | undefined;
}

export const stats: CommandSpec = {
  usage: '[OPTIONS] [CONTAINER...]',
  args: [0, Number.POSITIVE_INFINITY],
  flags: [
    { name: 'all', short: 'a', type: 'bool', help: 'Show all containers (default shows just running)' },
    formatFlag,
    { name: 'no-stream', type: 'bool', help: 'Disable streaming stats and only pull the first result' },
    noTruncFlag,
  ],
  examples: ['netyard stats', 'netyard stats --no-stream web'],
  complete: 'running',
  run: async (context, { args, flags }) => {
    const watched = await choose(context, args, flags.bool('all'));
    const print = (): string =>
      renderListing(
        statsListing,
        watched.map(({ ref, id, name, stats: reading }) => statsRow(ref, id, name, reading, !flags.bool('no-trunc'))),
        { format: flags.text('format') },
      );
    if (flags.bool('no-stream')) {
      await Promise.all(watched.map((one) => readOnce(context, one)));
      context.write(print());
      return 0;
    }
    const again = args.length === 0 ? () => choose(context, [], flags.bool('all')) : undefined;
    return (await watch(context, watched, print, again)) === 'interrupted' ? 130 : 0;
  },
};

async function choose(context: Context, refs: string[], all: boolean): Promise<Watched[]> {
  const { containers } = context.client();
  if (refs.length === 0) {
    const list = await containers.list({ all });
    return list.map(({ Id, Names }) => ({ ref: Id, id: Id, name: Names[0] ?? '', stats: undefined }));
  }
  return await Promise.all(
    refs.map(async (ref) => {
      const { Id, Name } = await containers.inspect(ref);
      return { ref, id: Id, name: Name, stats: undefined };
    }),
  );
}

async function readOnce(context: Context, one: Watched): Promise<void> {
  for await (const reading of context.client().containers.stats(one.id, { stream: false })) {
    if (reading.read !== undefined && !reading.read.startsWith('0001-')) one.stats = reading;
  }
}

/** Redraws twice a second until interrupted. Without arguments, follows starting and stopping containers. */
async function watch(
  context: Context,
  watched: Watched[],
  print: () => string,
  again: (() => Promise<Watched[]>) | undefined,
): Promise<'interrupted' | 'ended'> {
  const stop = new AbortController();
  let end: 'interrupted' | 'ended' = 'ended';
  const following = new Set<string>();
  const follow = (one: Watched): void => {
    following.add(one.id);
    void followOne(context, one, stop.signal).finally(() => {
      following.delete(one.id);
      if (again) watched.splice(watched.indexOf(one), 1);
    });
  };
  process.once('SIGINT', () => {
    end = 'interrupted';
    stop.abort();
  });
  for (const one of watched) follow(one);
  while (!stop.signal.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 500);
      stop.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    for (const one of (await again?.()) ?? []) {
      if (following.has(one.id)) continue;
      watched.push(one);
      follow(one);
    }
    context.stdout.write('\x1b[H\x1b[J');
    context.write(print());
    if (!again && following.size === 0) stop.abort();
  }
  return end;
}

/** A stream ends when its container exits; that is no error. */
async function followOne(context: Context, one: Watched, signal: AbortSignal): Promise<void> {
  try {
    for await (const reading of context.client().containers.stats(one.id, { stream: true, signal }))
      one.stats = reading;
  } catch (error) {
    if (!signal.aborted) context.warn(`${one.name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  one.stats = undefined;
}
