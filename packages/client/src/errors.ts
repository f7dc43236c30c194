/** Converts an error response, or a failed connection, to an error. */
import { type ErrorCode, messageOf, NetyardError } from '@netyard/core';
import type { DaemonAddress } from './address.ts';

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  501: 'not-implemented',
  503: 'unavailable',
};

/** The daemon's own message; the command prefixes it with `Error response from daemon: `. */
export class DaemonError extends NetyardError {
  readonly status: number;

  constructor(status: number, message: string, hint?: string) {
    super(codes[status] ?? 'failed', message, hint === undefined ? {} : { hint });
    this.name = 'DaemonError';
    this.status = status;
  }
}

/** The body of an error response is `{"message": …}`; a proxy may send something else. */
export function daemonError(status: number, body: string, request: string): DaemonError {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) {
      const hint = 'hint' in parsed && typeof parsed.hint === 'string' ? parsed.hint : undefined;
      return new DaemonError(status, String(parsed.message), hint);
    }
  } catch {
    // not JSON: shown unchanged
  }
  const text = body.trim();
  return new DaemonError(status, text === '' ? `${request} returned status ${status}` : text);
}

/** The error of a failed connection. */
export function connectionError(address: DaemonAddress, cause: unknown): NetyardError {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
  if (code === 'EACCES' || code === 'EPERM') {
    return new NetyardError(
      'forbidden',
      `permission denied while trying to connect to the Netyard daemon socket at ${address.text}`,
      { hint: 'run the command with sudo, or as a member of the group that owns the socket', cause },
    );
  }
  if (['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'ENOTDIR', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND'].includes(code)) {
    return new NetyardError(
      'unavailable',
      `Cannot connect to the Netyard daemon at ${address.text}. Is the daemon running?`,
      {
        hint: 'start it with `netyard daemon`, or set its address with NETYARD_HOST or -H',
        cause,
      },
    );
  }
  if (code === 'ABORT_ERR') return new NetyardError('unavailable', 'the request was cancelled', { cause });
  return new NetyardError('unavailable', `error during connect: ${address.text}: ${messageOf(cause)}`, { cause });
}
