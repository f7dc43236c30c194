/**
 * Errors every box shares: a code from one closed set, a message for people, a hint what to do, and the cause.
 *
 * Codes are the domain's, not HTTP's: the one table that maps them to statuses stands in docker-api.
 */

/** What kind of failure it is. `docker-api` maps each to one HTTP status, `cli` to an exit code. */
export const errorCodes = [
  'invalid', // the request itself is wrong; nothing was touched
  'unauthorized', // a registry or a peer refused our credentials
  'forbidden', // a rule of Netyard's, such as removing a predefined network
  'not-found', // no such container, image, network, ...
  'conflict', // the present state does not allow it (name in use, container running)
  'not-modified', // it is already so: an answer rather than a failure
  'unavailable', // a part we stand on (containerd, a registry) does not answer
  'not-implemented', // Docker has it, Netyard does not
  'internal', // everything else, kernel errors included
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface ErrorDetails {
  /** One sentence: what the reader can do about it. */
  hint?: string;
  cause?: unknown;
}

export class NetyardError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'NetyardError';
    this.code = code;
    this.hint = details.hint;
  }
}

/** A refused kernel operation, with everything needed to find out why. */
export class KernelError extends NetyardError {
  /** Positive number, as in errno(3). */
  readonly errno: number;
  /** Symbolic name, such as `EEXIST`. */
  readonly errnoName: string;
  /** The operation in the words of its shell twin, such as `ip link add`. */
  readonly operation: string;
  /** What it was done to, such as `veth0 in /run/netns/r1`. */
  readonly object: string;

  constructor(
    fields: { errno: number; errnoName: string; operation: string; object: string; text?: string } & ErrorDetails,
  ) {
    const text = fields.text ? `: ${fields.text}` : '';
    super('internal', `${fields.operation} ${fields.object}: ${fields.errnoName}${text}`, fields);
    this.name = 'KernelError';
    this.errno = fields.errno;
    this.errnoName = fields.errnoName;
    this.operation = fields.operation;
    this.object = fields.object;
  }
}

export function isNetyardError(error: unknown, code?: ErrorCode): error is NetyardError {
  return error instanceof NetyardError && (code === undefined || error.code === code);
}

/** Where Node's words for a refused system call are not those that everybody else has. */
const systemWords: Readonly<Record<string, string>> = {
  EISDIR: 'is a directory',
  EEXIST: 'file exists',
};

/** The message of anything that was thrown; of a refused system call as Go says it: `open X: no such file or directory`. */
export function messageOf(error: unknown): string {
  const call = systemCall(error);
  if (call) return `${call.name}${call.path === '' ? '' : ` ${call.path}`}: ${call.reason}`;
  return error instanceof Error ? error.message : String(error);
}

/** For who names the file already: `no such file or directory` alone. */
export const reasonOf = (error: unknown): string => systemCall(error)?.reason ?? messageOf(error);

/** Taken from Node's `ENOENT: no such file or directory, open 'X'`. */
function systemCall(error: unknown): { name: string; path: string; reason: string } | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  const [, code = '', words = '', name, path = ''] =
    /^(E[A-Z0-9]+): (.+), ([a-z]+)(?: '(.*)')?$/s.exec(error.message) ?? [];
  if (name === undefined) return undefined;
  return { name, path: path.replace("' -> '", ' '), reason: systemWords[code] ?? words };
}
