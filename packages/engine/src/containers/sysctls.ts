/**
 * Which `--sysctl` settings a container may have: only those of namespaces of its own, as runc checks at a container's
 * start (libcontainer/configs/validate). Checked at create, before anything is created. Pure.
 */
import { NetyardError } from '@netyard/core';
import type { ContainerConfig } from '../model.ts';

type SysctlRequest = Pick<ContainerConfig, 'sysctls' | 'networkMode' | 'ipcMode' | 'utsMode'>;

/** Settings of the IPC namespace: ipc_namespaces(7). */
const ipcSysctls: ReadonlySet<string> = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/** Splits into settings of the network namespace and all others; names with dots. */
export function splitSysctls(
  sysctls: Readonly<Record<string, string>>,
): Record<'net' | 'other', Record<string, string>> {
  const all = Object.entries(sysctls).map(([key, value]) => [dotted(key), value] as const);
  const isNet = ([key]: readonly [string, string]): boolean => key.startsWith('net.');
  return {
    net: Object.fromEntries(all.filter(isNet)),
    other: Object.fromEntries(all.filter((one) => !isNet(one))),
  };
}

/** Throws `invalid` for the first setting that would change the host or that is not below /proc/sys. */
export function checkSysctls(config: SysctlRequest): void {
  for (const key of Object.keys(config.sysctls)) {
    const problem = problemOf(key, config);
    if (problem !== undefined) throw new NetyardError('invalid', `sysctl "${key}" ${problem}`);
  }
}

function problemOf(key: string, config: SysctlRequest): string | undefined {
  if (!isSysctlName(key)) return 'is not a valid name';
  const name = dotted(key);
  if (name.startsWith('net.'))
    return config.networkMode.kind === 'host' ? 'not allowed in host network namespace' : undefined;
  if (ipcSysctls.has(name) || name.startsWith('fs.mqueue.'))
    return config.ipcMode === 'host' ? 'is not allowed in the hosts ipc namespace' : undefined;
  if (name === 'kernel.domainname')
    return config.utsMode === 'host' ? 'is not allowed in the hosts uts namespace' : undefined;
  if (name === 'kernel.hostname') return 'is not allowed as it conflicts with the OCI "hostname" field';
  return 'is not in a separate kernel namespace';
}

/** sysctl(8) accepts both separators; the first one in a name decides which it is. */
function dotted(key: string): string {
  const first = /[./]/.exec(key)?.[0];
  return first === '/' ? key.replace(/[./]/g, (one) => (one === '/' ? '.' : '/')) : key;
}

/** Each part becomes the name of a file or directory: `..` would lead out of the namespace's settings. */
function isSysctlName(key: string): boolean {
  const parts = dotted(key)
    .split('.')
    .map((part) => part.replaceAll('/', '.'));
  return parts.length > 1 && parts.every((part) => /^[\w.:@-]+$/.test(part) && part !== '.' && part !== '..');
}
