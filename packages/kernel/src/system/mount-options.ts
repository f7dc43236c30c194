/**
 * Mounts file systems as mount(8) does: options as in fstab(5); one call of mount(2) for the file system, one for the
 * propagation and one that makes a bind mount read-only. It runs on its own thread, because a file server that does not
 * answer blocks mount(2) for minutes.
 */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { ThreadPool } from '@netyard/core';
import { kernelError } from './ffi/errno.ts';
import { mountFlag, unmount, unmountAsync } from './mounts.ts';

const { recursive, unbindable, shared, slave } = mountFlag;
const priv = mountFlag.private;

/** Options of mount(8) that are flags of mount(2): the flag, and whether the option sets or clears it. */
const flagOptions: ReadonlyMap<string, readonly [flag: number, sets: boolean]> = new Map([
  ['ro', [mountFlag.readOnly, true]],
  ['rw', [mountFlag.readOnly, false]],
  ['nosuid', [mountFlag.noSuid, true]],
  ['suid', [mountFlag.noSuid, false]],
  ['nodev', [mountFlag.noDev, true]],
  ['dev', [mountFlag.noDev, false]],
  ['noexec', [mountFlag.noExec, true]],
  ['exec', [mountFlag.noExec, false]],
  ['sync', [mountFlag.synchronous, true]],
  ['async', [mountFlag.synchronous, false]],
  ['dirsync', [mountFlag.synchronousFolders, true]],
  ['remount', [mountFlag.remount, true]],
  ['mand', [mountFlag.mandatoryLocks, true]],
  ['nomand', [mountFlag.mandatoryLocks, false]],
  ['noatime', [mountFlag.noAccessTimes, true]],
  ['atime', [mountFlag.noAccessTimes, false]],
  ['nodiratime', [mountFlag.noFolderAccessTimes, true]],
  ['diratime', [mountFlag.noFolderAccessTimes, false]],
  ['relatime', [mountFlag.relativeAccessTimes, true]],
  ['norelatime', [mountFlag.relativeAccessTimes, false]],
  ['strictatime', [mountFlag.strictAccessTimes, true]],
  ['nostrictatime', [mountFlag.strictAccessTimes, false]],
  ['bind', [mountFlag.bind, true]],
  ['rbind', [mountFlag.bind | recursive, true]],
  ['unbindable', [unbindable, true]],
  ['runbindable', [unbindable | recursive, true]],
  ['private', [priv, true]],
  ['rprivate', [priv | recursive, true]],
  ['shared', [shared, true]],
  ['rshared', [shared | recursive, true]],
  ['slave', [slave, true]],
  ['rslave', [slave | recursive, true]],
]);

/** Splits `ro,noatime,size=1m` into flags and the options of the file system. Pure. */
export function parseMountOptions(options: string): { flags: number; data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const option of options.split(',')) {
    const found = flagOptions.get(option);
    if (!found) data.push(option);
    else flags = found[1] ? flags | found[0] : flags & ~found[0];
  }
  return { flags, data: data.filter((option) => option !== 'defaults').join(',') };
}

export interface MountCall {
  source: string;
  type: string;
  flags: number;
  data: string;
}

/** The mount(2) calls, in order. Pure. */
export function planMountCalls({ source, type, flags, data }: MountCall): MountCall[] {
  const kinds = unbindable | priv | shared | slave;
  const own = flags & ~kinds;
  const readOnlyBind = mountFlag.bind | mountFlag.readOnly;
  const none = { source: '', type: '', data: '' };
  return [
    { source, type, flags: own, data },
    ...((flags & kinds) === 0 ? [] : [{ ...none, flags: flags & (kinds | recursive) }]),
    ...((own & readOnlyBind) === readOnlyBind ? [{ ...none, flags: own | mountFlag.remount }] : []),
  ];
}

export interface MountRequest {
  target: string;
  calls: MountCall[];
}

export class FileSystemMounter {
  /** One for each mount at a time: the call may not return for minutes. */
  readonly #threads = new ThreadPool<MountRequest, number>({
    // Packed outside of this repository, both files are JavaScript.
    entry: new URL(`./mount-thread${extname(import.meta.url)}`, import.meta.url),
    purpose: 'mounts file systems',
    mostThreads: Number.POSITIVE_INFINITY,
  });

  /** Equivalent command: `mount -t TYPE -o OPTIONS SOURCE TARGET`. Throws the KernelError of the call that failed. */
  async mount(target: string, call: MountCall): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const job = this.#threads.open({ onMessage: resolve, onFailure: reject });
    job.post({ target, calls: planMountCalls(call) });
    const errno = await promise.finally(() => job.close());
    if (errno !== 0) throw kernelError(errno, `mount -t ${call.type}`, target);
  }
}

/** Unmounts on another thread, for the same reason. Throws KernelError. */
export async function unmountFileSystem(target: string): Promise<void> {
  if (!(await unmountAsync(target))) unmount(target);
}

/** Targets of the mounts in this mount namespace, in mount order. */
export const mountPoints = (): string[] => parseMountPoints(readFileSync('/proc/self/mountinfo', 'utf8'));

/** The fifth field of each line; proc(5) escapes blanks and backslashes in octal. Pure. */
export function parseMountPoints(mountinfo: string): string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const target = line.split(' ', 5)[4];
    return target === undefined ? [] : [unescapeOctal(target)];
  });
}

/** A mount and how events propagate to and from it: mount_namespaces(7). */
export interface MountPropagation {
  target: string;
  isShared: boolean;
  isSlave: boolean;
}

export const mountPropagations = (): MountPropagation[] =>
  parseMountPropagations(readFileSync('/proc/self/mountinfo', 'utf8'));

/** Optional fields follow the sixth one, up to a hyphen: proc_pid_mountinfo(5). Pure. */
export function parseMountPropagations(mountinfo: string): MountPropagation[] {
  return mountinfo.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const [target, optional] = [fields[4], fields.slice(6, fields.indexOf('-', 6))];
    if (target === undefined) return [];
    const has = (name: string): boolean => optional.some((field) => field.startsWith(`${name}:`));
    return [{ target: unescapeOctal(target), isShared: has('shared'), isSlave: has('master') }];
  });
}

const unescapeOctal = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
