/** `run`: creates, attaches to and starts a container, and waits for its exit. */
import type { ContainerCreateRequest } from '@netyard/api-types';
import { messageOf } from '@netyard/core';
import { Failure } from '../failure.ts';
import { commandFlags } from '../options/command-flags.ts';
import type { Context } from '../program/context.ts';
import type { CommandInput, CommandSpec } from '../program/spec.ts';
import { followSize, proxySignals, sizeOf } from '../terminal/signals.ts';
import { runStreams } from '../terminal/stream.ts';
import { createContainer, requestFrom, withHelp } from './create.ts';
import { printDryRun } from './dry-run.ts';

export const run: CommandSpec = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  args: [1, Number.POSITIVE_INFINITY],
  flags: commandFlags('run'),
  stopAtArgument: true,
  examples: [
    'netyard run --name nginx-1 -d -p 8801:80 nginx',
    'netyard run -d --name nginx-2 --link nginx-1:web1 -p 8802:80 nginx',
    'netyard run -it --rm --net=container:nginx-1 busybox sh',
    'netyard run --dry-run -p 80:80 nginx',
  ],
  complete: 'images',
  run: async (context, input) => {
    const request = requestFrom(context, input, 'run');
    const detach = input.flags.bool('detach');
    if (detach) detached(request, input);
    else checkTerminal(context, request);
    const size = sizeOf(context);
    if (size && request.HostConfig) request.HostConfig.ConsoleSize = size;
    const id = await createContainer(context, input, request, context.stderr, 'run').catch((error: unknown) => {
      throw error instanceof Failure ? error : withHelp(error, 'run');
    });
    if (input.flags.bool('dry-run')) return await dryRun(context, id);
    return detach ? await startDetached(context, id) : await runAttached(context, input, request, id);
  },
};

function detached(request: ContainerCreateRequest, { flags }: CommandInput): void {
  if (flags.has('attach')) {
    throw new Failure('conflicting options: cannot specify both --attach and --detach');
  }
  Object.assign(request, { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false });
}

export function checkTerminal({ stdin }: Context, request: { AttachStdin?: boolean; Tty?: boolean }): void {
  if (request.AttachStdin && request.Tty && !stdin.isTTY) throw new Failure('the input device is not a TTY');
}

async function dryRun(context: Context, id: string): Promise<number> {
  const { containers } = context.client();
  try {
    printDryRun(context, await containers.planStart(id));
  } finally {
    await containers.remove(id, { force: true, volumes: true });
  }
  return 0;
}

/** Prints the id even if the start fails, because the container exists. */
async function startDetached(context: Context, id: string): Promise<number> {
  try {
    await context.client().containers.start(id);
  } catch (error) {
    throw startFailure(error, 'run');
  } finally {
    context.print(id);
  }
  return 0;
}

/** Exit code 127: command not found; 126: command cannot be executed; otherwise 125. */
export function startFailure(error: unknown, verb: string): Failure {
  const text = messageOf(error);
  if (/executable file not found|no such file or directory/.test(text)) return withHelp(error, verb, 127);
  if (/permission denied|is a directory/.test(text)) return withHelp(error, verb, 126);
  return withHelp(error, verb);
}

async function runAttached(
  context: Context,
  { flags }: CommandInput,
  request: ContainerCreateRequest,
  id: string,
): Promise<number> {
  const { containers } = context.client();
  const tty = request.Tty ?? false;
  const { AttachStdin: stdin = false, AttachStdout: stdout = false, AttachStderr: stderr = false } = request;
  const detachKeys = flags.text('detach-keys') || undefined;
  const stops: (() => void)[] = [];
  if (flags.bool('sig-proxy')) stops.push(proxySignals((signal) => containers.kill(id, signal)));
  try {
    const hijacked = await containers.attach(id, { stdin, stdout, stderr, detachKeys });
    const { done } = await containers.wait(id, request.HostConfig?.AutoRemove ? 'removed' : 'next-exit');
    const streams = runStreams(context, hijacked, { tty, stdin, detachKeys });
    try {
      await containers.start(id);
    } catch (error) {
      hijacked.stream.destroy();
      await streams.catch(() => undefined);
      if (request.HostConfig?.AutoRemove) await containers.remove(id, { force: true }).catch(() => undefined);
      throw startFailure(error, 'run');
    }
    if (tty) stops.push(followSize(context, (rows, columns) => containers.resize(id, rows, columns)));
    if ((await streams) === 'detached') return 0;
    const { StatusCode, Error: problem } = await done;
    if (problem) throw new Failure(problem.Message, 125);
    return StatusCode;
  } finally {
    for (const stop of stops) stop();
  }
}
