/**
 * The one table between the domain's error codes and HTTP statuses, and Docker's error body. No other file of the
 * project knows both.
 */
import type { IncomingMessage } from 'node:http';
import { getSystemErrorMessage } from 'node:util';
import type { ErrorResponse } from '@netyard/api-types';
import { type ErrorCode, NetyardError } from '@netyard/core';

const statuses: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'not-modified': 304,
  unavailable: 503,
  'not-implemented': 501,
  internal: 500,
};

/** A failure of HTTP itself, which has a status of its own, such as 413. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
  }
}

export function statusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  return error instanceof NetyardError ? statuses[error.code] : 500;
}

/**
 * Docker's body; a hint stands on a line of its own below Docker's words. Hints name commands as docker's, in
 * backquotes; whoever asks with Netyard's own command reads that one's name.
 */
export function errorBody(error: unknown, request: Pick<IncomingMessage, 'headers'>): ErrorResponse {
  const hint = error instanceof NetyardError ? error.hint : undefined;
  const message = publicMessage(error);
  if (hint === undefined) return { message };
  const isOwn = request.headers['user-agent']?.startsWith('Netyard-Client') ?? false;
  return { message: `${message}\n${isOwn ? hint.replaceAll('`docker ', '`netyard ') : hint}` };
}

/** Messages of known errors are written for users; those of the runtime would show the daemon's inside. */
function publicMessage(error: unknown): string {
  if (error instanceof NetyardError || error instanceof HttpError) return error.message.replaceAll(internalPath, '');
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined;
  return typeof errno === 'number' && errno < 0 ? getSystemErrorMessage(errno) : 'internal error: see the daemon log';
}

/** Open folders under which a container's files are reached. */
const internalPath = /\/proc\/self\/fd\/\d+/g;
