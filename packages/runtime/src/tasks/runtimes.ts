/** The OCI runtimes of this host: their paths, whether they work here, and which one is the default. */
import { execFile } from 'node:child_process';
import { accessSync, constants, statfsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { NetyardError } from '@netyard/core';

export interface OciRuntime {
  name: string;
  /** Where it is on this host. */
  path: string;
  /** The program to run: `path`, or the same file on a mount. */
  program: string;
  version: string;
}

export interface OciRuntimes {
  available: ReadonlyMap<string, OciRuntime>;
  default: OciRuntime;
}

const known = ['crun', 'runc'] as const;
/** Names that clients of Docker use for the default one. */
const aliases: readonly string[] = ['', 'io.containerd.runc.v2'];

const TMPFS_MAGIC = 0x01021994;
const CGROUP2_SUPER_MAGIC = 0x63677270;

/** @param preferred a name, an absolute path, or '' for crun if it works here, else runc. Throws `unavailable`. */
export async function findOciRuntimes(preferred: string, searchPath: string): Promise<OciRuntimes> {
  const found = await Promise.all(known.map((name) => inspect(name, findExecutable(name, searchPath))));
  const available = new Map(found.flatMap((one) => (one ? [[one.name, one] as const] : [])));
  if (preferred !== '') {
    const named = isAbsolute(preferred) ? await inspect(preferred, preferred) : available.get(preferred);
    if (!named) throw missing(`the runtime ${preferred} does not exist`);
    return { available: available.set(named.name, named), default: named };
  }
  const chosen = (crunRefusesCgroups() ? undefined : available.get('crun')) ?? available.get('runc');
  if (!chosen) throw missing('there is no OCI runtime on this host');
  return { available, default: chosen };
}

/** Throws `invalid` for an unknown `--runtime NAME`, as Docker does. */
export function pickRuntime(runtimes: OciRuntimes, name: string): OciRuntime {
  if (aliases.includes(name)) return runtimes.default;
  if (isAbsolute(name)) return { name, path: name, program: name, version: '' };
  const runtime = runtimes.available.get(name);
  if (!runtime) throw new NetyardError('invalid', `unknown or invalid runtime name: ${name}`);
  return runtime;
}

const missing = (message: string): NetyardError =>
  new NetyardError('unavailable', message, { hint: 'install crun or runc (Debian: apt install crun)' });

/** `crun version 1.8.1\n…`, `runc version 1.1.5\n…`. */
async function inspect(name: string, path: string | undefined): Promise<OciRuntime | undefined> {
  if (path === undefined) return undefined;
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 });
    return { name, path, program: path, version: /version:? (\S+)/.exec(stdout)?.[1] ?? '' };
  } catch {
    return undefined; // it does not run on this host
  }
}

/** Whether a program can be run here and exits successfully. */
export async function works(path: string, ...words: string[]): Promise<boolean> {
  try {
    await promisify(execFile)(path, words, { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

export function findExecutable(name: string, searchPath: string): string | undefined {
  return searchPath
    .split(':')
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * crun needs cgroup v1 or v2; on a v1 host with v2 beside it ("hybrid") it fails with "hybrid mode not supported". It
 * distinguishes them by the file systems at these two paths, and so does this function.
 */
function crunRefusesCgroups(): boolean {
  return typeOf('/sys/fs/cgroup') === TMPFS_MAGIC && typeOf('/sys/fs/cgroup/unified') === CGROUP2_SUPER_MAGIC;
}

function typeOf(path: string): number | undefined {
  try {
    return statfsSync(path).type;
  } catch {
    return undefined; // does not exist
  }
}
