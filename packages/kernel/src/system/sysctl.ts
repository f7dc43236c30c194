/** Sysctls (files below /proc/sys) of this network namespace or another. See sysctl(8). */
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { NetyardError } from '@netyard/core';
import { errnoOf, hasErrno, kernelError } from './ffi/errno.ts';
import { openInNetns } from './netns.ts';

/** Path of a key such as `net.ipv4.conf.eth0/100.rp_filter`, where `/` stands for a dot. Throws `invalid`. Pure. */
export function sysctlPath(key: string): string {
  const parts = key.split('.').map((part) => part.replaceAll('/', '.'));
  const bad = parts.length < 2 || parts.some((part) => !/^[\w.:@-]+$/.test(part) || part === '.' || part === '..');
  if (bad) throw new NetyardError('invalid', `invalid sysctl key ${JSON.stringify(key)}`);
  return `/proc/sys/${parts.join('/')}`;
}

/** Checks a value: one line of text. Throws `invalid`. Pure. */
export function checkSysctlValue(value: string): void {
  if (/[\n\r\0]/.test(value)) throw new NetyardError('invalid', `invalid sysctl value ${JSON.stringify(value)}`);
}

/** The kernel separates numbers with tabs, callers with spaces. Pure. */
export const sameSysctlValue = (a: string, b: string): boolean =>
  a.trim().replace(/\s+/g, ' ') === b.trim().replace(/\s+/g, ' ');

/**
 * /proc/sys/net shows the namespace of the task that opens the file, so the file is opened inside the namespace.
 * Equivalent to: `sysctl -n KEY`, `nsenter --net=PATH sysctl -n KEY`. Throws KernelError ENOENT.
 */
export function readSysctl(key: string, ns?: string): string {
  return withKernelErrors('sysctl', key, ns, () =>
    openInNetns(ns, () => readFileSync(sysctlPath(key), 'utf8').trimEnd()),
  );
}

/** Equivalent to: `sysctl -w KEY=VALUE`. Throws KernelError ENOENT, EINVAL, EACCES. */
export function writeSysctl(key: string, value: string, ns?: string): void {
  checkSysctlValue(value);
  const object = `${key}=${value}`;
  withKernelErrors('sysctl -w', object, ns, () => openInNetns(ns, () => writeFileSync(sysctlPath(key), value)));
}

/**
 * The same; returns the former value. The namespace is entered once, and the file opened once: below /proc/sys/net all
 * namespaces have their files in one directory cache, where the kernel searches one after the other (proc_sys_compare).
 */
export function exchangeSysctl(key: string, value: string, ns?: string): string {
  checkSysctlValue(value);
  const path = sysctlPath(key);
  return withKernelErrors('sysctl -w', `${key}=${value}`, ns, () =>
    openInNetns(ns, () => {
      const file = openSync(path, 'r+');
      try {
        const former = readFileSync(file, 'utf8').trimEnd();
        writeSync(file, value, 0);
        return former;
      } finally {
        closeSync(file);
      }
    }),
  );
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
