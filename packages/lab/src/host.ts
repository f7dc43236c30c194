/** Makes a lab host: cgroups, files, and a first process in namespaces of its own. Its cables come from `up.ts`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import { createGroups, groupFiles, type Hierarchy, leafFiles } from './cgroups.ts';
import type { LabDefinition, LabHost } from './definition.ts';
import { hostFiles } from './host-files.ts';
import { outerScript, quote, readyLine } from './host-setup.ts';
import { hostLayout } from './layout.ts';
import { childrenOf, identifyProcess, type ProcessIdentity } from './process-table.ts';

/**
 * Starts the host's first process and waits until its mounts stand. Throws `internal` with what the set-up said.
 * Ended with the process it returns; folders and cgroups are taken away by `down.ts`.
 */
export async function createHost(
  lab: LabDefinition,
  host: LabHost,
  hierarchies: readonly Hierarchy[],
): Promise<ProcessIdentity> {
  const places = hostLayout(lab.name, host.name);
  for (const folder of [places.etc, places.etcWork, places.data, places.state]) mkdirSync(folder, { recursive: true });
  writeHostFiles(places.etc, hostFiles(lab, host));
  createGroups(hierarchies, places.cgroup);
  const setup = {
    hostname: host.name,
    etc: places.etc,
    etcWork: places.etcWork,
    hierarchies,
    leafFiles: leafFiles(hierarchies, places.cgroup),
  };
  // In the host's group first: from then on the group knows all processes of the host, and `unshare --cgroup` makes
  // it the root of what the host sees.
  const enterGroup = groupFiles(hierarchies, places.cgroup).map((file) => `echo 0 > ${quote(file)}`);
  const script = [...enterGroup, 'exec unshare --cgroup sh -c "$1"'].join('\n');
  const keeper = spawn('sh', ['-euc', script, 'sh', outerScript(setup)], {
    detached: true, // Ctrl-C at the terminal of `lab up` must not end hosts half-way: undoing does that, in order
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await standing(keeper, host.name);
  return firstProcess(keeper, host.name);
}

/** What is there already stays: a host that comes up again has the files it had. */
function writeHostFiles(etc: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    if (!existsSync(join(etc, name))) writeFileSync(join(etc, name), content);
  }
}

/** Waits for the set-up's last word; a host that ends before has failed. */
function standing(keeper: ChildProcess, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    let complained = '';
    keeper.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complained += text;
    });
    keeper.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (!said.includes(readyLine)) return;
      letGo(keeper);
      resolve();
    });
    keeper.once('error', reject);
    keeper.once('close', () => reject(new NetyardError('internal', `lab host ${host}: ${complained.trim()}`)));
  });
}

/** The host outlives us; nothing of it may keep our event loop running. */
function letGo(keeper: ChildProcess): void {
  keeper.removeAllListeners();
  keeper.stdout?.destroy();
  keeper.stderr?.destroy();
  keeper.unref();
}

function firstProcess(keeper: ChildProcess, host: string): ProcessIdentity {
  const [pid] = keeper.pid === undefined ? [] : childrenOf(keeper.pid);
  const found = pid === undefined ? undefined : identifyProcess(pid);
  if (found) return found;
  throw new NetyardError('internal', `lab host ${host}: its first process is gone`);
}
