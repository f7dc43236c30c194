/** What a lab needs of the machine, looked at before anything is touched. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { NetyardError } from '@netyard/core';
import { readHierarchies } from './cgroups.ts';

/** Program and the Debian package that has it. */
const programs: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setsid: 'util-linux',
  mount: 'mount',
  tini: 'tini',
};

/** Throws `forbidden` without root, `unavailable` naming all that is missing and how to get it. */
export function requireMachine(path: string = process.env['PATH'] ?? ''): void {
  if (process.getuid?.() !== 0) throw new NetyardError('forbidden', 'a lab needs root: it makes namespaces');
  const missing = Object.keys(programs).filter((program) => !isInstalled(program, path));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => programs[program]))].join(' ');
    throw new NetyardError('unavailable', `a lab needs ${missing.join(', ')}`, { hint: `apt-get install ${packages}` });
  }
  if (readHierarchies().length > 0) return;
  throw new NetyardError('unavailable', 'a lab needs cgroups, and none are mounted', {
    hint: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
  });
}

function isInstalled(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
