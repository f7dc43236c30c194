/**
 * Takes a lab away: processes, switches, cgroups, folders.
 *
 * It trusts no state: what is below the lab's folders and in its cgroups is the lab's, whatever crashed before it was
 * written down. So it works on half-made labs, and a second time.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf, NetyardError } from '@netyard/core';
import { deleteNetns, hasErrno, unmount } from '@netyard/kernel';
import { type Hierarchy, processesIn, readHierarchies, removeEmptyGroup, removeGroups } from './cgroups.ts';
import { cgroupRoot, dataRoot, labLayout, runRoot, switchPin } from './layout.ts';
import { isAlive, isInOtherPidNamespace, running } from './process-table.ts';
import { readState, untilFree } from './state.ts';

const patienceMs = 20_000;
const lookEveryMs = 10;

/** `lab down`. Throws `not-found`, `conflict` while the lab is being made, `internal` naming what would not go. */
export async function bringDown(lab: string): Promise<void> {
  const { run, data } = labLayout(lab);
  if (!existsSync(run) && !existsSync(data)) throw new NetyardError('not-found', `no such lab: ${lab}`);
  const state = readState(lab);
  if (state?.phase === 'starting' && state.maker.pid !== process.pid && isAlive(state.maker))
    throw new NetyardError('conflict', `lab ${lab} is being made by process ${state.maker.pid}`, {
      hint: 'wait for it, or end it: it undoes what it made',
    });
  for (const host of state?.lab.hosts ?? []) await untilFree(lab, host.name);
  const failures = await takeDown(lab);
  if (failures.length > 0) throw new NetyardError('internal', `lab ${lab} is not all gone: ${failures.join('; ')}`);
}

/** Goes on after a failure; returns all failures in words. */
export async function takeDown(lab: string): Promise<string[]> {
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
  if (failures.length > 0) return failures; // the name stays taken, so that `lab down` can be tried again
  await attempt(() => rmSync(run, { recursive: true, force: true }));
  await attempt(() => removeEmptyGroup(hierarchies, cgroupRoot));
  await attempt(() => [runRoot, dataRoot].forEach(removeEmptyFolder));
  return failures;
}

/** Ends all processes of a lab or a host, as if its plug were pulled, and takes its cgroups away. */
export async function endGroup(hierarchies: readonly Hierarchy[], cgroup: string): Promise<void> {
  await endProcesses(hierarchies, cgroup);
  await removeCgroups(hierarchies, cgroup);
}

/** Kills until nobody is left: with a host's first process the kernel ends all others, mounts and links with them. */
async function endProcesses(hierarchies: readonly Hierarchy[], cgroup: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const left = running(processesIn(hierarchies, cgroup)).filter((pid) => pid !== process.pid);
    if (left.length === 0) return;
    if (Date.now() > deadline) throw new Error(`processes do not end: ${left.join(', ')}`);
    // The parent of a first process is left to reap it and ends by itself; else it is killed in a later round.
    const inside = left.filter(isInOtherPidNamespace);
    for (const pid of inside.length > 0 ? inside : left) kill(pid);
    await pause(lookEveryMs);
  }
}

/** A process that looks ended may have threads that are still on their way out, and keep its group busy. */
async function removeCgroups(hierarchies: readonly Hierarchy[], cgroup: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      removeGroups(hierarchies, cgroup);
      return;
    } catch (error) {
      if (!hasErrno(error, 'EBUSY') || Date.now() > deadline) throw error;
    }
    await pause(lookEveryMs);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** The pins, and the mount point that `createNetns` made of their folder. */
function removeSwitches(lab: string): void {
  const folder = dirname(switchPin(lab, 'any'));
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) deleteNetns(join(folder, name));
  for (;;) {
    try {
      unmount(folder);
    } catch (error) {
      if (hasErrno(error, 'EINVAL')) return; // no mount point any more
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
