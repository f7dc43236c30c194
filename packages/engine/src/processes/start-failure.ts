/** A failed start: Docker's exit code for it, and its message, which the docker command parses. Pure. */
import { failureCodeOf, isNetyardError, messageOf, NetyardError } from '@netyard/core';

const invoked = 126;
const notFound = 127;
const unknown = 128;

/** Marks the runtime's error about a container it could not create. */
export class RuntimeFailure extends Error {
  readonly exitCode: number;
  readonly answer: NetyardError;

  constructor(answer: NetyardError, exitCode: number) {
    super(answer.message, { cause: answer });
    this.name = 'RuntimeFailure';
    this.answer = answer;
    this.exitCode = exitCode;
  }
}

const createPrefix =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: ' +
  'unable to start container process: ';
const execPrefix = 'OCI runtime exec failed: exec failed: unable to start container process: ';

/** Errors found before an OCI runtime is called; Docker passes them on unchanged. */
const refusedBefore =
  /^(unable to find (user|group) |uids and gids must be in range |invalid Cap|unknown or invalid runtime name|error gathering device)/;

/** @param what a container's main process, or an exec in a running container */
export function runtimeFailure(error: unknown, what: 'container' | 'exec'): RuntimeFailure {
  const text = withPrefix(messageOf(error), what);
  const lower = text.toLowerCase();
  const noSuchUser = text.startsWith('unable to find');
  const invalid = (message: string, exitCode: number): RuntimeFailure =>
    new RuntimeFailure(new NetyardError('invalid', message, { cause: error }), exitCode);
  if (noSuchUser && what === 'exec') return invalid(text, invoked);
  if (text.startsWith('error gathering device')) return invalid(text, unknown);
  if (lower.includes('permission denied')) return invalid(text, invoked);
  if (lower.includes('is a directory')) return invalid(`${text}: permission denied`, invoked);
  if (lower.includes('not a directory'))
    return invalid(
      `${text}: Are you trying to mount a directory onto a file (or vice-versa)? ` +
        'Check if the specified host path exists and is the expected type',
      notFound,
    );
  if (lower.includes('executable file not found') || lower.includes('no such file or directory'))
    return invalid(text, notFound);
  const code = isNetyardError(error) && error.code === 'unavailable' ? 'unavailable' : failureCodeOf(error);
  return new RuntimeFailure(new NetyardError(code, text, { cause: error }), unknown);
}

function withPrefix(message: string, what: 'container' | 'exec'): string {
  if (message.includes('OCI runtime') || refusedBefore.test(message)) return message;
  return `${what === 'container' ? createPrefix : execPrefix}${message}: unknown`;
}

/** Exit code of a container that could not be started. */
export function failureExitCode(error: unknown): number {
  return error instanceof RuntimeFailure ? error.exitCode : unknown;
}

/** The error that the caller gets. */
export function failureAnswer(error: unknown): unknown {
  return error instanceof RuntimeFailure ? error.answer : error;
}
