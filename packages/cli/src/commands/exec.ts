/** `exec`: runs a further process in a running container. */
import { readFileSync } from 'node:fs';
import { type ExecCreateRequest, execCreate } from '@netyard/api-types';
import { Failure } from '../failure.ts';
import { commandFlags } from '../options/command-flags.ts';
import { readEnvironment } from '../options/environment.ts';
import { fillFields } from '../options/fill-fields.ts';
import type { Context } from '../program/context.ts';
import type { CommandInput, CommandSpec } from '../program/spec.ts';
import { followSize, sizeOf } from '../terminal/signals.ts';
import { runStreams } from '../terminal/stream.ts';

export const exec: CommandSpec = {
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  args: [2, Number.POSITIVE_INFINITY],
  stopAtArgument: true,
  flags: commandFlags('exec'),
  examples: [
    'netyard exec -it nginx-1 bash',
    'netyard exec nginx-2 cat /etc/hosts',
    'netyard exec -d -e LEVEL=2 web reload',
  ],
  complete: 'running',
  run: async (context, input) => {
    const [ref = ''] = input.args;
    const { containers } = context.client();
    const request = execRequest(context, input);
    // Inspected first, so that a missing container gets docker's message.
    await containers.inspect(ref);
    if (!input.flags.bool('detach') && request.AttachStdin && request.Tty && !context.stdin.isTTY) {
      throw new Failure('the input device is not a TTY');
    }
    const { Id: id } = await containers.createExec(ref, request);
    if (input.flags.bool('detach')) {
      await containers.startExec(id, { Detach: true, Tty: request.Tty ?? false });
      return 0;
    }
    return await runInteractive(context, id, request);
  },
};

/** The body of `POST /containers/{id}/exec`. */
function execRequest(context: Context, { args, flags }: CommandInput): ExecCreateRequest {
  const files = flags.list('env-file').map((path) => ({ name: path, text: readFileSync(path, 'utf8') }));
  const variables = readEnvironment(files, flags.list('env'), context.env);
  const detach = flags.bool('detach');
  const tty = flags.bool('tty');
  const size = tty && !detach ? sizeOf(context) : undefined;
  const request = fillFields(execCreate, flags, {
    ConsoleSize: size,
    AttachStdin: !detach && flags.bool('interactive'),
    AttachStderr: !detach,
    AttachStdout: !detach,
    Env: variables.length > 0 ? variables : null,
    Cmd: args.slice(1),
  });
  return request as ExecCreateRequest;
}

async function runInteractive(context: Context, id: string, request: ExecCreateRequest): Promise<number> {
  const { containers } = context.client();
  const tty = request.Tty ?? false;
  const size = request.ConsoleSize ? { ConsoleSize: request.ConsoleSize } : {};
  const hijacked = await containers.attachExec(id, { Detach: false, Tty: tty, ...size });
  const streams = runStreams(context, hijacked, {
    tty,
    stdin: request.AttachStdin ?? false,
    detachKeys: request.DetachKeys || undefined,
  });
  const stop = tty ? followSize(context, (rows, columns) => containers.resizeExec(id, rows, columns)) : () => undefined;
  try {
    if ((await streams) === 'detached') {
      context.warn('read escape sequence');
      return 0;
    }
  } finally {
    stop();
  }
  return (await containers.inspectExec(id)).ExitCode ?? 0;
}
