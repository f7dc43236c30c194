/**
 * Finds OOM kills that containerd does not report before the exit. Its shim listens for them only after it has started
 * the process, which may have been killed by then (containerd 1.6, runtime/v2/runc/task/service.go, `Start`), and sends
 * them without any order to exits. The counter of the cgroup exists until the task is deleted.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeEvent } from '@netyard/engine';
import { type CgroupMounts, cgroupFolder } from './cgroups.ts';
import { flatKeyed } from './metrics-text.ts';

export class OomKills {
  readonly #mounts: CgroupMounts;
  /** cgroup paths of the tasks of which no OOM kill is reported, by id. */
  readonly #unreported = new Map<string, string>();

  constructor(mounts: CgroupMounts) {
    this.#mounts = mounts;
  }

  track(id: string, cgroupPath: string): void {
    this.#unreported.set(id, cgroupPath);
  }

  forget(id: string): void {
    this.#unreported.delete(id);
  }

  /** Adds the missing OOM event before the exit of a main process. */
  complete(event: RuntimeEvent): RuntimeEvent[] {
    if (event.type === 'resync') return [event];
    const path = this.#unreported.get(event.id);
    if (path === undefined) return [event];
    if (event.type === 'oom') this.forget(event.id);
    if (event.type !== 'exit' || event.execId !== undefined || this.#killsIn(path) === 0) return [event];
    this.forget(event.id);
    return [{ type: 'oom', id: event.id }, event];
  }

  /** 0 if it cannot be read, as without the group, or in a kernel without the counter: v1 has it since Linux 4.13. */
  #killsIn(path: string): number {
    const folder = cgroupFolder(this.#mounts, 'memory', path);
    if (folder === undefined) return 0;
    const file = join(folder, this.#mounts.version === '2' ? 'memory.events' : 'memory.oom_control');
    try {
      return flatKeyed(readFileSync(file, 'utf8'))['oom_kill'] ?? 0;
    } catch {
      return 0; // an exit is delivered whatever is wrong with its group
    }
  }
}
