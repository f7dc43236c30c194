/**
 * Sends a signal directly to a container's main process. The shim would start the OCI runtime for it, which is most of
 * the time that `docker kill` and `rm -f` take.
 */
import { readFile } from 'node:fs/promises';

/**
 * @returns false when the process is not ours to signal: it is in no cgroup of the container's, because it has just
 * ended and its pid is reused, or because containerd counts processes in another PID namespace
 */
export async function signalProcess(containerId: string, pid: number, signal: number): Promise<boolean> {
  if (pid <= 1) return false;
  try {
    const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8');
    if (!cgroups.includes(containerId)) return false;
    return process.kill(pid, signal);
  } catch {
    return false; // it has ended: containerd reports it
  }
}
