/**
 * The group that contains those of containers, in v1's hierarchy of CPUs and memory nodes. A new group there has none, so
 * the OCI runtime writes its parent's: the kernel compares the group with all others, twice, and computes the scheduling
 * domains of the machine again. A group that begins with its parent's CPUs and nodes needs neither.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasErrno } from '@netyard/kernel';
import { type CgroupMounts, cgroupFolder } from './cgroups.ts';

/** Of the default parent, which is Netyard's wherever it exists. */
const ownName = 'netyard';

export class ParentCgroup {
  readonly #mounts: CgroupMounts;
  readonly #path: string | undefined;
  #isPrepared = false;

  /** @param path of the daemon's option; undefined: nothing is prepared */
  constructor(mounts: CgroupMounts, path: string | undefined) {
    this.#mounts = mounts;
    this.#path = path;
  }

  /** To be called before the container's group is created. Changes no group that another program may have created. */
  prepare(cgroupPath: string): void {
    if (this.#isPrepared || this.#path === undefined || dirname(cgroupPath) !== this.#path) return;
    this.#isPrepared = true;
    if (this.#mounts.version !== '1') return; // v2 groups use their parent's unless they have their own
    const folder = cgroupFolder(this.#mounts, 'cpuset', this.#path);
    if (folder === undefined) return;
    try {
      if (createFolder(folder) || basename(folder) === ownName) copyToNewGroups(folder);
    } catch {
      // not permitted, or below a missing group: the OCI runtime does it all
    }
  }
}

/** False when it exists. */
function createFolder(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Equivalent to: `echo 1 > FOLDER/cgroup.clone_children`. See cgroup-v1/cgroups.rst, 1.5. */
const copyToNewGroups = (folder: string): void => writeFileSync(join(folder, 'cgroup.clone_children'), '1');
