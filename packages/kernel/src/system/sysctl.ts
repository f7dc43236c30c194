/** Sysctls (files below /proc/sys) of this network namespace or another. See sysctl(8). */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { NetyardError } from '@netyard/core';
import { errnoOf, hasErrno, kernelError } from './ffi/errno.ts';
import type { EnterNetns } from './netns.ts';
import { PrivateProc } from './private-proc.ts';

/** Path of a key such as `net.ipv4.conf.eth0/100.rp_filter`, where `/` stands for a dot, below a procfs. Throws `invalid`. Pure. */
export function sysctlPath(key: string, proc = '/proc'): string {
  const parts = key.split('.').map((part) => part.replaceAll('/', '.'));
  const bad = parts.length < 2 || parts.some((part) => !/^[\w.:@-]+$/.test(part) || part === '.' || part === '..');
  if (bad) throw new NetyardError('invalid', `invalid sysctl key ${JSON.stringify(key)}`);
  return `${proc}/sys/${parts.join('/')}`;
}

/** The key of an interface's setting; a dot in its name is written as `/`. Pure. */
export const disableIpv6Key = ({ name }: { name: string }): string =>
  `net.ipv6.conf.${name.replaceAll('.', '/')}.disable_ipv6`;

/** Checks a value: one line of text. Throws `invalid`. Pure. */
export function checkSysctlValue(value: string): void {
  if (/[\n\r\0]/.test(value)) throw new NetyardError('invalid', `invalid sysctl value ${JSON.stringify(value)}`);
}

/** The kernel separates numbers with tabs, callers with spaces. Pure. */
export const sameSysctlValue = (a: string, b: string): boolean =>
  a.trim().replace(/\s+/g, ' ') === b.trim().replace(/\s+/g, ' ');

export interface SysctlName {
  key: string;
  ns?: string | undefined;
}

/**
 * /proc/sys/net shows the namespace of the task that opens the file, so the file is opened inside the namespace. Methods
 * throw KernelError ENOENT, EINVAL, EACCES.
 */
export class Sysctls {
  /** For other namespaces, and for this process's own: not replaced, so what was looked up there stays cached. */
  readonly #others = new PrivateProc();
  readonly #own = new PrivateProc();

  /** Equivalent to: `sysctl -n KEY`, `nsenter --net=PATH sysctl -n KEY`. */
  read({ key, ns }: SysctlName, enter: EnterNetns): string {
    return this.#open('sysctl', key, { key, ns, enter }, (path) => readFileSync(path, 'utf8').trimEnd());
  }

  /** Equivalent to: `sysctl -w KEY=VALUE`. */
  write({ key, ns }: SysctlName, value: string, enter: EnterNetns): void {
    checkSysctlValue(value);
    this.#open('sysctl -w', `${key}=${value}`, { key, ns, enter }, (path) => writeFileSync(path, value));
  }

  /** The same; returns the former value. The namespace is entered once, and the file opened once. */
  exchange({ key, ns }: SysctlName, value: string, enter: EnterNetns): string {
    checkSysctlValue(value);
    return this.#open('sysctl -w', `${key}=${value}`, { key, ns, enter }, (path) => exchangeContent(path, value));
  }

  close(): void {
    this.#others.close();
    this.#own.close();
  }

  #open<T>(
    operation: string,
    object: string,
    { key, ns, enter }: SysctlName & { enter: EnterNetns },
    work: (path: string) => T,
  ): T {
    const proc = ns === undefined ? this.#own.folderFor('') : this.#others.folderFor(ns);
    const path = sysctlPath(key, proc);
    return withKernelErrors(operation, object, ns, () => enter(ns, () => work(path)));
  }
}

function exchangeContent(path: string, value: string): string {
  const file = openSync(path, 'r+');
  try {
    const former = readFileSync(file, 'utf8').trimEnd();
    writeSync(file, value, 0);
    return former;
  } finally {
    closeSync(file);
  }
}

/** Converts Node's errors to KernelError. */
function withKernelErrors<T>(operation: string, object: string, ns: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const location = ns === undefined ? '' : ` in ${ns}`;
    for (const name of ['ENOENT', 'EINVAL', 'EACCES', 'EPERM', 'EROFS', 'EIO', 'ENODEV']) {
      if (hasErrno(error, name)) throw kernelError(errnoOf(name), operation, `${object}${location}`);
    }
    throw error;
  }
}
