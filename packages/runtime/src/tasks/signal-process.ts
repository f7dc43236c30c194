/**
 * Sends a signal directly to a container's main process. The shim would start the OCI runtime for it, which is most of
 * the time that `docker kill` and `rm -f` take.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type CgroupMounts, cgroupFolder } from './cgroups.ts';

/**
 * SIGKILL also thaws the container: in cgroup v1 a frozen process does not end, and another program than the daemon may
 * have frozen it. runc does so, too.
 *
 * @returns false when the process is not ours to signal: it is in no cgroup of the container's, because it has just
 * ended and its pid is reused, or because containerd counts processes in another PID namespace
 */
export async function signalProcess(
  target: { containerId: string; pid: number },
  signal: number,
  cgroups: CgroupMounts,
): Promise<boolean> {
  const { containerId, pid } = target;
  if (pid <= 1) return false;
  try {
    const groups = readGroups(pid);
    if (!groups.includes(containerId)) return false;
    process.kill(pid, signal);
    if (signal === constants.signals.SIGKILL) thaw(groups, cgroups);
    return true;
  } catch {
    return false; // it has ended: containerd reports it
  }
}

/** Without an error when the group went away with its last process. */
function thaw(groups: string, cgroups: CgroupMounts): void {
  const path = /^\d+:(?:\S+,)?freezer(?:,\S+)?:(.+)$/m.exec(groups)?.[1];
  const folder = path === undefined ? undefined : cgroupFolder(cgroups, 'freezer', path);
  if (cgroups.version === '2' || folder === undefined) return;
  const file = join(folder, 'freezer.state');
  try {
    if (!readFileSync(file, 'latin1').startsWith('THAWED')) writeFileSync(file, 'THAWED');
  } catch {}
}

/** False for a process that has ended, too. */
export function isOfContainer(containerId: string, pid: number): boolean {
  try {
    return readGroups(pid).includes(containerId);
  } catch {
    return false;
  }
}

/** cgroups(7): `ID:CONTROLLERS:PATH` lines. */
const readGroups = (pid: number): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8');
