/**
 * Maps error codes to HTTP statuses and to Docker's error body. No other file of the project does.
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
  failed: 500,
  internal: 500,
};

/** An error of HTTP itself that no error code covers, such as 413. */
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
  if (hasNullByte(error)) return statuses.invalid;
  return error instanceof NetyardError ? statuses[error.code] : 500;
}

/** A path from a request contains a NUL, which node:fs rejects before the kernel sees it. */
const hasNullByte = (error: unknown): boolean =>
  error instanceof TypeError &&
  'code' in error &&
  error.code === 'ERR_INVALID_ARG_VALUE' &&
  /null bytes/.test(error.message);

/**
 * Docker's error body, with the hint on a line below Docker's message. Hints name docker commands in backquotes; for
 * Netyard's own CLI they become netyard commands.
 */
export function errorBody(error: unknown, request: Pick<IncomingMessage, 'headers'>): ErrorResponse {
  const hint = error instanceof NetyardError ? error.hint : undefined;
  const message = publicMessage(error);
  if (hint === undefined) return { message };
  const isOwn = request.headers['user-agent']?.startsWith('Netyard-Client') ?? false;
  return { message: `${message}\n${isOwn ? hint.replaceAll('`docker ', '`netyard ') : hint}` };
}

/** Only messages of NetyardErrors are written for users; those of other errors would reveal the daemon's internals. */
function publicMessage(error: unknown): string {
  if (error instanceof NetyardError || error instanceof HttpError) return error.message.replaceAll(internalPath, '');
  if (hasNullByte(error)) return 'invalid argument: a path contains a NUL byte';
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined;
  return typeof errno === 'number' && errno < 0 ? getSystemErrorMessage(errno) : 'internal error: see the daemon log';
}

/** Paths through open directory descriptors, by which the engine reaches a container's files. */
const internalPath = /\/proc\/self\/fd\/\d+/g;
