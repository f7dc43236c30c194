/** Bodies of POST /containers/{id}/exec and POST /exec/{id}/start. */
import { boolFlag, listFlag, stringFlag } from './flags.ts';
import { type FlagCommand, flag, list, none, size, text, words, zero } from './shape.ts';

const on = { on: ['exec'] as readonly FlagCommand[] };

export const execCreate = {
  User: zero(text, {
    flags: [stringFlag('user', 'Username or UID (format: "<name|uid>[:<group|gid>]")', { ...on, short: 'u' })],
  }),
  Privileged: zero(flag, { flags: [boolFlag('privileged', 'Give extended privileges to the command', on)] }),
  Tty: zero(flag, { flags: [boolFlag('tty', 'Allocate a pseudo-TTY', { ...on, short: 't' })] }),
  ConsoleSize: none(size, { since: 42, also: ['tty'] }),
  AttachStdin: zero(flag, {
    flags: [boolFlag('interactive', 'Keep STDIN open even if not attached', { ...on, short: 'i' })],
  }),
  AttachStdout: zero(flag, { also: ['detach'] }),
  AttachStderr: zero(flag, { also: ['detach'] }),
  DetachKeys: zero(text, {
    flags: [stringFlag('detach-keys', 'Override the key sequence for detaching a container', on)],
  }),
  Env: zero(list(text), {
    flags: [
      listFlag('env', 'Set environment variables', { ...on, short: 'e' }),
      listFlag('env-file', 'Read in a file of environment variables', on),
    ],
  }),
  WorkingDir: zero(text, {
    flags: [stringFlag('workdir', 'Working directory inside the container', { ...on, short: 'w' })],
  }),
  Cmd: none(words, { required: true }),
} as const;

export const execStart = {
  Detach: zero(flag, {
    flags: [boolFlag('detach', 'Detached mode: run command in the background', { ...on, short: 'd' })],
  }),
  Tty: zero(flag, { also: ['tty'] }),
  ConsoleSize: none(size, { since: 42 }),
} as const;
