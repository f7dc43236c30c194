/** `attach` and `start -a`: connects this terminal to a container's main process. */
import type { ContainerInspect } from '@netyard/api-types';
import { describeError, Failure } from '../failure.ts';
import type { Context } from '../program/context.ts';
import type { CommandSpec } from '../program/spec.ts';
import { followSize, proxySignals } from '../terminal/signals.ts';
import { runStreams } from '../terminal/stream.ts';
import { dryRunEach, dryRunFlag } from './dry-run.ts';
import { checkTerminal } from './run.ts';

const detachKeys = {
  name: 'detach-keys',
  type: 'string',
  help: 'Override the key sequence for detaching a container',
} as const;

export const attach: CommandSpec = {
  usage: '[OPTIONS] CONTAINER',
  args: [1, 1],
  flags: [
    detachKeys,
    { name: 'no-stdin', type: 'bool', help: 'Do not attach STDIN' },
    { name: 'sig-proxy', type: 'bool', help: 'Proxy all received signals to the process', default: 'true' },
  ],
  examples: ['netyard attach web', 'netyard attach --no-stdin --sig-proxy=false web'],
  complete: 'running',
  run: async (context, { args: [ref = ''], flags }) => {
    const container = await context.client().containers.inspect(ref);
    checkAttachable(container);
    return await follow(context, container, {
      stdin: !flags.bool('no-stdin') && container.Config.OpenStdin,
      sigProxy: flags.bool('sig-proxy') && !container.Config.Tty,
      detachKeys: flags.text('detach-keys') || undefined,
      start: false,
    });
  },
};

function checkAttachable({ State }: ContainerInspect): void {
  if (!State.Running) throw new Failure('cannot attach to a stopped container, start it first');
  if (State.Paused) throw new Failure('cannot attach to a paused container, unpause it first');
  if (State.Restarting) throw new Failure('cannot attach to a restarting container, wait until it is running');
}

export const start: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: 'attach', short: 'a', type: 'bool', help: 'Attach STDOUT/STDERR and forward signals' },
    detachKeys,
    dryRunFlag,
    { name: 'interactive', short: 'i', type: 'bool', help: "Attach container's STDIN" },
  ],
  examples: ['netyard start web db', 'netyard start -ai shell'],
  complete: 'containers',
  run: async (context, { args, flags }) => {
    const { containers } = context.client();
    if (flags.bool('dry-run')) return await dryRunEach(context, args, (ref) => containers.planStart(ref));
    if (!flags.bool('attach') && !flags.bool('interactive')) {
      return await startAll(context, args, flags.text('detach-keys') || undefined);
    }
    if (args.length > 1) throw new Failure('you cannot start and attach multiple containers at once');
    const container = await containers.inspect(args[0] ?? '');
    return await follow(context, container, {
      stdin: flags.bool('interactive') && container.Config.OpenStdin,
      sigProxy: flags.bool('attach') && !container.Config.Tty,
      detachKeys: flags.text('detach-keys') || undefined,
      start: true,
    });
  },
};

async function startAll(context: Context, refs: readonly string[], detachKeys: string | undefined): Promise<number> {
  const failed: string[] = [];
  for (const ref of refs) {
    try {
      await context.client().containers.start(ref, { detachKeys });
      context.print(ref);
    } catch (error) {
      context.warn(describeError(error));
      failed.push(ref);
    }
  }
  if (failed.length > 0) throw new Failure(`Error: failed to start containers: ${failed.join(', ')}`);
  return 0;
}

interface FollowOptions {
  stdin: boolean;
  sigProxy: boolean;
  detachKeys: string | undefined;
  start: boolean;
}

/** Runs until the container exits or the detach keys are typed. Resolves with the exit code. */
async function follow(context: Context, { Id: id, Config }: ContainerInspect, options: FollowOptions): Promise<number> {
  const { containers } = context.client();
  checkTerminal(context, { AttachStdin: options.stdin, Tty: Config.Tty });
  const stops: (() => void)[] = [];
  if (options.sigProxy) stops.push(proxySignals((signal) => containers.kill(id, signal)));
  try {
    const call = { stdin: options.stdin, stdout: true, stderr: true, detachKeys: options.detachKeys };
    const hijacked = await containers.attach(id, call);
    const { done } = await containers.wait(id, options.start ? 'next-exit' : 'not-running');
    const streams = runStreams(context, hijacked, { tty: Config.Tty, ...options });
    if (options.start) {
      await containers.start(id).catch(async (error: unknown) => {
        hijacked.stream.destroy();
        await streams.catch(() => undefined);
        throw error;
      });
    }
    if (Config.Tty) stops.push(followSize(context, (rows, columns) => containers.resize(id, rows, columns)));
    if ((await streams) === 'detached') {
      context.warn('read escape sequence');
      return 0;
    }
    const { StatusCode, Error: problem } = await done;
    if (problem) throw new Failure(problem.Message);
    return StatusCode;
  } finally {
    for (const stop of stops) stop();
  }
}
