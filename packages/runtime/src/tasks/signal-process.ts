/**
 * Sends a signal directly to a container's main process. The shim would start the OCI runtime for it, which is most of
 * the time that `docker kill` and `rm -f` take.
 */
import { readFileSync } from 'node:fs';

/**
 * @returns false when the process is not ours to signal: it is in no cgroup of the container's, because it has just
 * ended and its pid is reused, or because containerd counts processes in another PID namespace
 */
export async function signalProcess(containerId: string, pid: number, signal: number): Promise<boolean> {
  if (pid <= 1) return false;
  try {
    return isOfContainer(containerId, pid) && process.kill(pid, signal);
  } catch {
    return false; // it has ended: containerd reports it
  }
}

/** False for a process that has ended, too. */
export function isOfContainer(containerId: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(containerId);
  } catch {
    return false;
  }
}
