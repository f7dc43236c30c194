/** Parses `--device`, `--cap-add`, `--sysctl`, `--security-opt` and `--log-opt`. Pure. */
import type { DeviceMapping, LogConfig } from '@netyard/api-types';
import { messageOf, NetyardError } from '@netyard/core';
import { keyValues } from './environment.ts';

const isDeviceMode = (text: string): boolean =>
  text !== '' && /^[rwm]+$/.test(text) && new Set(text).size === text.length;

/** `SOURCE[:TARGET][:rwm]` */
export function parseDevice(text: string): DeviceMapping {
  const [source = '', second, third, ...more] = text.split(':');
  if (more.length > 0 || text === '') throw new NetyardError('invalid', `bad format for path: ${text}`);
  if (second === undefined) return { PathOnHost: source, PathInContainer: source, CgroupPermissions: 'rwm' };
  if (third === undefined && isDeviceMode(second)) {
    return { PathOnHost: source, PathInContainer: source, CgroupPermissions: second };
  }
  if (third !== undefined && !isDeviceMode(third)) throw new NetyardError('invalid', `bad mode specified: ${third}`);
  if (!second.startsWith('/')) throw new NetyardError('invalid', `${second} is not an absolute path`);
  return { PathOnHost: source, PathInContainer: second, CgroupPermissions: third ?? 'rwm' };
}

/** `--cap-add` and `--cap-drop` in canonical form, sorted, without duplicates. */
export function parseCapabilities(names: readonly string[]): string[] | null {
  const upper = names.map((name) => name.toUpperCase().trim());
  const full = upper.map((name) => (name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`));
  return full.length > 0 ? [...new Set(full)].sort() : null;
}

const sysctlNames: readonly string[] = [
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
];

/** Permits only parameters of the container's own namespaces. */
export function parseSysctl(text: string): [string, string] {
  const [name = '', ...value] = text.split('=');
  const allowed = sysctlNames.includes(name) || name.startsWith('net.') || name.startsWith('fs.mqueue.');
  if (value.length === 0 || !allowed) throw new Error(`sysctl '${text}' is not allowed`);
  return [name, value.join('=')];
}

export interface SecurityOptions {
  options: string[] | null;
  maskedPaths: string[] | null;
  readonlyPaths: string[] | null;
}

/** `seccomp=FILE` becomes the file's content; `systempaths=unconfined` clears the masked and read-only paths. */
export function parseSecurity(texts: readonly string[], readFile: (path: string) => string): SecurityOptions {
  const kept: string[] = [];
  let unconfined = false;
  for (const text of texts) {
    const [key = '', value] = text.includes('=') ? cut(text, '=') : cut(text, ':');
    if (value === undefined && key !== 'no-new-privileges') {
      throw new NetyardError('invalid', `Invalid --security-opt: ${JSON.stringify(text)}`);
    }
    if (key === 'systempaths' && value === 'unconfined') unconfined = true;
    else if (key === 'seccomp' && value !== 'unconfined' && value !== 'builtin') {
      kept.push(`seccomp=${seccompProfile(value ?? '', readFile)}`);
    } else kept.push(text);
  }
  const paths = unconfined ? [] : null;
  return { options: kept.length > 0 || unconfined ? kept : null, maskedPaths: paths, readonlyPaths: paths };
}

function cut(text: string, separator: string): [string, string | undefined] {
  const [first = '', ...rest] = text.split(separator);
  return [first, rest.length > 0 ? rest.join(separator) : undefined];
}

function seccompProfile(path: string, readFile: (path: string) => string): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (cause) {
    throw new NetyardError('invalid', `opening seccomp profile (${path}) failed: ${messageOf(cause)}`, { cause });
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (cause) {
    throw new NetyardError('invalid', `compacting json for seccomp profile (${path}) failed`, { cause });
  }
}

export function parseLogging(driver: string, options: readonly string[]): LogConfig {
  if (driver === 'none' && options.length > 0) {
    throw new NetyardError('invalid', `invalid logging opts for driver ${driver}`);
  }
  return { Type: driver, Config: keyValues(options) };
}
