/** Checks what a lab requires of the machine, before anything is changed. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { NetyardError } from '@netyard/core';
import { readHierarchies } from './cgroups.ts';

/** Programs and the Debian packages that contain them. */
const programs: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setsid: 'util-linux',
  mount: 'mount',
  tini: 'tini',
};

/** Throws `forbidden` without root, `unavailable` with everything that is missing and how to install it. */
export function requireMachine(path: string = process.env['PATH'] ?? ''): void {
  if (process.getuid?.() !== 0) throw new NetyardError('forbidden', 'a lab requires root to create namespaces');
  const missing = Object.keys(programs).filter((program) => !isInstalled(program, path));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => programs[program]))].join(' ');
    throw new NetyardError('unavailable', `a lab requires ${missing.join(', ')}`, {
      hint: `run \`apt-get install ${packages}\``,
    });
  }
  if (readHierarchies().length > 0) return;
  throw new NetyardError('unavailable', 'a lab requires cgroups, but none are mounted', {
    hint: 'run `mount -t cgroup2 cgroup2 /sys/fs/cgroup`',
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
