/** Logs requests that failed, at a level that says who has to act: a developer, the administrator, or the client. */
import type { IncomingMessage } from 'node:http';
import { isDefect, isNetyardError, type Logger, messageOf } from '@netyard/core';
import { statusOf } from '../errors.ts';

/**
 * A `failed` error is no defect, but its reason may be one of this host (disk full, port in use): a warning. A failed
 * system call that no message explains is a warning with its stack. Any other 500 is a defect. Client errors are logged
 * for debugging only.
 */
export function logFailure(
  logger: Logger,
  { method, url }: Pick<IncomingMessage, 'method' | 'url'>,
  error: unknown,
): void {
  const status = statusOf(error);
  const fields = { method, url, status, error: messageOf(error) };
  if (isNetyardError(error, 'failed')) logger.warn('request failed', fields);
  else if (status === 500 && !isDefect(error)) logger.warn('request failed', { ...fields, stack: stacksOf(error) });
  else if (status === 500) logger.error('request failed', { ...fields, stack: stacksOf(error) });
  else logger.debug('request refused', fields);
}

/** Logs why a response ended early, as the client only sees that it is incomplete. */
export function logBrokenOff(logger: Logger, request: Pick<IncomingMessage, 'method' | 'url'>, error: unknown): void {
  if (isDefect(error)) logFailure(logger, request, error);
  else logger.warn('response broken off', { method: request.method, url: request.url, error: messageOf(error) });
}

const mostCauses = 8;

/** The stack of an error and of its causes: an error that wraps another one does not say where the other arose. */
export function stacksOf(error: unknown): string {
  const stacks: string[] = [];
  for (let next = error; next instanceof Error && stacks.length < mostCauses; next = next.cause)
    stacks.push(next.stack ?? messageOf(next));
  return stacks.join('\ncaused by: ');
}
