/** Error numbers as names and words, and the error made of them. Node's own tables, so none is kept here. Pure. */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { KernelError } from '@netyard/core';

const namesByNumber: ReadonlyMap<number, string> = new Map(
  // EAGAIN and EOPNOTSUPP have a second name; the one that Linux's errno.h defines first is kept.
  Object.entries(constants.errno)
    .filter(([name]) => name !== 'EWOULDBLOCK' && name !== 'ENOTSUP')
    .map(([name, number]) => [number, name]),
);

/** The number of a name such as `EEXIST`. Throws on a name that this system lacks. */
export function errnoOf(name: string): number {
  const number = (constants.errno as Readonly<Record<string, number>>)[name];
  if (number === undefined) throw new RangeError(`no error number is called ${name}`);
  return number;
}

/** `EEXIST` for 17; `errno 999` for what has no name. */
export const errnoName = (errno: number): string => namesByNumber.get(errno) ?? `errno ${errno}`;

/** `file already exists` for 17, as libuv words it. */
export const errnoText = (errno: number): string => getSystemErrorMap().get(-errno)?.[1] ?? errnoName(errno);

/**
 * The error of a refused kernel operation.
 * @param operation what was tried, in the words of its shell twin: `ip link add`
 * @param object what it was tried on: `veth0 in /run/netns/r1`
 * @param text more than errno says, such as a netlink extended acknowledgement
 */
export function kernelError(errno: number, operation: string, object: string, text?: string): KernelError {
  return new KernelError({ errno, errnoName: errnoName(errno), operation, object, text: text ?? errnoText(errno) });
}

/** Whether an error is a KernelError with one of these names (`ENOENT`), or Node's own error with such a code. */
export function hasErrno(error: unknown, ...names: string[]): boolean {
  if (error instanceof KernelError) return names.includes(error.errnoName);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && names.includes(error.code);
}
