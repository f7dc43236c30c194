/** A failed command: message for stderr and exit code. */
import { DaemonError } from '@netyard/client';
import { isNetyardError, messageOf } from '@netyard/core';

/** The formatted message for stderr; '' prints nothing. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}

/** Formats an error like the docker CLI, with the hint on a separate line. */
export function describeError(error: unknown): string {
  const hint = isNetyardError(error) && error.hint !== undefined ? `\n${error.hint}` : '';
  if (error instanceof DaemonError) return `Error response from daemon: ${error.message}${hint}`;
  return `${messageOf(error)}${hint}`;
}

/** Throws a failure with one line per error and exit code 1. */
export function throwAll(errors: readonly unknown[]): void {
  if (errors.length > 0) throw new Failure(errors.map(describeError).join('\n'));
}

export function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
