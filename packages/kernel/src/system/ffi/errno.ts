/** Error numbers, their names and descriptions, and the error built from them. Uses Node's own tables. Pure. */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { KernelError } from '@netyard/core';

const namesByNumber: ReadonlyMap<number, string> = new Map(
  // EAGAIN and EOPNOTSUPP have a second name; Linux's errno.h defines these first.
  Object.entries(constants.errno)
    .filter(([name]) => name !== 'EWOULDBLOCK' && name !== 'ENOTSUP')
    .map(([name, number]) => [number, name]),
);

/** The number of a name such as `EEXIST`. Throws when the system does not define the name. */
export function errnoOf(name: string): number {
  const number = (constants.errno as Readonly<Record<string, number>>)[name];
  if (number === undefined) throw new RangeError(`unknown error name ${name}`);
  return number;
}

/** `EEXIST` for 17; `errno 999` for a number without a name. */
export const errnoName = (errno: number): string => namesByNumber.get(errno) ?? `errno ${errno}`;

/** Node makes a new map at each call. */
const textsByNumber: ReadonlyMap<number, readonly [name: string, text: string]> = getSystemErrorMap();

/** `file already exists` for 17: libuv's description. */
export const errnoText = (errno: number): string => textsByNumber.get(-errno)?.[1] ?? errnoName(errno);

/**
 * The error of a failed kernel operation.
 * @param operation the equivalent command: `ip link add`
 * @param object the object it acted on: `veth0 in /run/netns/r1`
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
