/** How a command ends when it does not end well: what to print on stderr, and the exit code. */
import { DaemonError } from '@netyard/client';
import { isNetyardError, messageOf } from '@netyard/core';

/** Already put in words for stderr; '' prints nothing. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}

/** An error's words as the docker command prints them, the hint on a line of its own. */
export function describeError(error: unknown): string {
  const hint = isNetyardError(error) && error.hint !== undefined ? `\n${error.hint}` : '';
  if (error instanceof DaemonError) return `Error response from daemon: ${error.message}${hint}`;
  return `${messageOf(error)}${hint}`;
}

/** Several objects were asked for, some failed: one line each, exit code 1. */
export function throwAll(errors: readonly unknown[]): void {
  if (errors.length > 0) throw new Failure(errors.map(describeError).join('\n'));
}

export function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
