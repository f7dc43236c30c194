/**
 * Deletes a lab: processes, switches, cgroups, files.
 *
 * Does not rely on saved state: everything below the lab's folders and in its cgroups belongs to the lab, even if a
 * crash prevented recording it. So it also works on partially created labs, and repeatedly.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, NetyardError } from '@netyard/core';
import { deleteNetns, hasErrno, unmount } from '@netyard/kernel';
import { type Hierarchy, processesIn, readHierarchies, removeEmptyGroup, removeGroups, thawGroups } from './cgroups.ts';
import { cgroupRoot, dataRoot, labLayout, runRoot, switchPin } from './layout.ts';
import { isAlive, isInOtherPidNamespace, running } from './process-table.ts';
import { readState, waitUntilUnlocked } from './state.ts';

const timeoutMs = 20_000;
const pollIntervalMs = 10;

/**
 * `lab down`. Throws `not-found`, `conflict` while the lab is being created, `failed` with the objects that could not
 * be deleted.
 */
export async function bringDown(lab: string): Promise<void> {
  const { run, data } = labLayout(lab);
  if (!existsSync(run) && !existsSync(data)) throw new NetyardError('not-found', `no such lab: ${lab}`);
  const state = readState(lab);
  if (state?.phase === 'starting' && state.maker.pid !== process.pid && isAlive(state.maker))
    throw new NetyardError('conflict', `lab ${lab} is being created by process ${state.maker.pid}`, {
      hint: 'wait for the process, or terminate it: it then rolls back',
    });
  for (const host of state?.lab.hosts ?? []) await waitUntilUnlocked(lab, host.name);
  const failures = await deleteLab(lab);
  if (failures.length > 0) throw new NetyardError('failed', `cannot delete all of lab ${lab}: ${failures.join('; ')}`);
}

/** Continues after a failure; returns the messages of all failures. */
export async function deleteLab(lab: string): Promise<string[]> {
  const { run, data, cgroup } = labLayout(lab);
  const hierarchies = readHierarchies();
  const failures: string[] = [];
  const attempt = async (work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(messageOf(error));
    }
  };
  await attempt(() => endGroup(hierarchies, cgroup));
  await attempt(() => removeSwitches(lab));
  await attempt(() => rmSync(data, { recursive: true, force: true }));
  if (failures.length > 0) return failures; // the name stays in use, so that `lab down` can be repeated
  await attempt(() => rmSync(run, { recursive: true, force: true }));
  await attempt(() => removeEmptyGroup(hierarchies, cgroupRoot));
  await attempt(() => [runRoot, dataRoot].forEach(removeEmptyFolder));
  return failures;
}

/** Kills all processes of a lab or a host, as in a power failure, and removes its cgroups. */
export async function endGroup(hierarchies: readonly Hierarchy[], cgroup: string): Promise<void> {
  await endProcesses(hierarchies, cgroup);
  await removeCgroups(hierarchies, cgroup);
}

/**
 * Kills until no process is left. When a host's first process ends, the kernel kills all others and deletes their
 * mounts and links.
 */
async function endProcesses(hierarchies: readonly Hierarchy[], cgroup: string): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const left = running(processesIn(hierarchies, cgroup)).filter((pid) => pid !== process.pid);
    if (left.length === 0) return;
    if (Date.now() > deadline) throw new Error(`cannot kill processes ${left.join(', ')}`);
    // The parent of a first process reaps it and then exits; otherwise it is killed in a later iteration.
    const inside = left.filter(isInOtherPidNamespace);
    for (const pid of inside.length > 0 ? inside : left) kill(pid);
    thawGroups(hierarchies, cgroup);
    await pause(pollIntervalMs);
  }
}

/** A zombie may have threads that are still exiting and keep its group busy. */
async function removeCgroups(hierarchies: readonly Hierarchy[], cgroup: string): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      removeGroups(hierarchies, cgroup);
      return;
    } catch (error) {
      if (!hasErrno(error, 'EBUSY') || Date.now() > deadline) throw error;
    }
    await pause(pollIntervalMs);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** Deletes the pinned namespaces, and the mount point that `createNetns` made of their folder. */
function removeSwitches(lab: string): void {
  const folder = dirname(switchPin(lab, 'any'));
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) deleteNetns(join(folder, name));
  for (;;) {
    try {
      unmount(folder);
    } catch (error) {
      if (hasErrno(error, 'EINVAL')) return; // not a mount point any more
      throw error;
    }
  }
}

function removeEmptyFolder(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  }
}
