/**
 * The error type of all packages: a code from a closed set, a message, a hint how to fix it, and the cause.
 *
 * Codes belong to the domain, not to HTTP: `docker-api` has the table that maps them to status codes.
 */

/** Kinds of failures. `docker-api` maps each to an HTTP status, `cli` to an exit code. */
export const errorCodes = [
  'invalid', // the request is invalid; nothing was changed
  'unauthorized', // a registry or a peer rejected our credentials
  'forbidden', // forbidden by a rule, such as removing a predefined network
  'not-found', // no such container, image, network, ...
  'conflict', // the current state does not allow it (name in use, container running)
  'not-modified', // already in the requested state: a response rather than a failure
  'unavailable', // a dependency (containerd, a registry) does not respond
  'not-implemented', // Docker implements it, Netyard does not
  'failed', // valid, but could not be carried out for the reason in the message: port in use, disk full, mount failed
  'internal', // a defect of Netyard: nothing that a user or the environment does causes it
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface ErrorDetails {
  /** One instruction that fixes the problem. */
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

/** Error numbers of calls that Netyard made wrongly: of a descriptor or an address in memory. */
const defectErrnos = ['EBADF', 'EFAULT', 'ENOTSOCK'];

/** A failed kernel operation, with the details needed to diagnose it. */
export class KernelError extends NetyardError {
  /** Positive number, as in errno(3). */
  readonly errno: number;
  /** Symbolic name, such as `EEXIST`. */
  readonly errnoName: string;
  /** The equivalent command, such as `ip link add`. */
  readonly operation: string;
  /** The object of the operation, such as `veth0 in /run/netns/r1`. */
  readonly object: string;

  constructor(
    fields: {
      errno: number;
      errnoName: string;
      operation: string;
      object: string;
      text?: string;
      /** Default: `OPERATION OBJECT: ERRNO: TEXT`. */
      message?: string;
    } & ErrorDetails,
  ) {
    const text = fields.text ? `: ${fields.text}` : '';
    const code = defectErrnos.includes(fields.errnoName) ? 'internal' : 'failed';
    super(code, fields.message ?? `${fields.operation} ${fields.object}: ${fields.errnoName}${text}`, fields);
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

/**
 * The code for an error that wraps this one: its own code; `failed` for a system call's; `internal` for every other
 * error, which no code expected. Of several errors a defect decides.
 */
export function errorCodeOf(error: unknown): ErrorCode {
  if (error instanceof NetyardError) return error.code;
  if (error instanceof AggregateError) return error.errors.some(isDefect) ? 'internal' : 'failed';
  const isSystemCall = error instanceof Error && 'syscall' in error && 'code' in error;
  return isSystemCall && !defectErrnos.includes(String(error.code)) ? 'failed' : 'internal';
}

/** Whether the cause is a defect of Netyard. */
export const isDefect = (error: unknown): boolean => errorCodeOf(error) === 'internal';

/** The code for an operation that answers 500 whichever of its steps failed: a defect stays one. */
export const failureCodeOf = (error: unknown): 'failed' | 'internal' => (isDefect(error) ? 'internal' : 'failed');

/** Error codes whose description in Node differs from strerror(3). */
const systemDescriptions: Readonly<Record<string, string>> = {
  EISDIR: 'is a directory',
  EEXIST: 'file exists',
};

/** The message of any thrown value; of a failed system call in Go's format: `open X: no such file or directory`. */
export function messageOf(error: unknown): string {
  const call = systemCall(error);
  if (call) return `${call.name}${call.path === '' ? '' : ` ${call.path}`}: ${call.reason}`;
  return error instanceof Error ? error.message : String(error);
}

/** The reason alone, for messages that already name the file: `no such file or directory`. */
export const reasonOf = (error: unknown): string => systemCall(error)?.reason ?? messageOf(error);

/** Parses Node's `ENOENT: no such file or directory, open 'X'`. */
function systemCall(error: unknown): { name: string; path: string; reason: string } | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined;
  const [, code = '', description = '', name, path = ''] =
    /^(E[A-Z0-9]+): (.+), ([a-z]+)(?: '(.*)')?$/s.exec(error.message) ?? [];
  if (name === undefined) return undefined;
  return { name, path: path.replace("' -> '", ' '), reason: systemDescriptions[code] ?? description };
}
