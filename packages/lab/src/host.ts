/** Creates a lab host: cgroups, files, and a first process in its own namespaces. `up.ts` adds its cables. */
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
 * Starts the host's first process and waits until its mounts are set up. Throws `failed` with the set-up's error
 * output. The host ends with the returned process; `down.ts` deletes its folders and cgroups.
 */
export async function createHost(
  lab: LabDefinition,
  host: LabHost,
  hierarchies: readonly Hierarchy[],
): Promise<ProcessIdentity> {
  const layout = hostLayout(lab.name, host.name);
  for (const folder of [layout.etc, layout.etcWork, layout.data, layout.state]) mkdirSync(folder, { recursive: true });
  writeHostFiles(layout.etc, hostFiles(lab, host));
  createGroups(hierarchies, layout.cgroup);
  const setup = {
    hostname: host.name,
    etc: layout.etc,
    etcWork: layout.etcWork,
    hierarchies,
    leafFiles: leafFiles(hierarchies, layout.cgroup),
  };
  // Enter the host's group first: from then on it contains all processes of the host, and `unshare --cgroup` makes
  // it the root of the host's cgroup namespace.
  const enterGroup = groupFiles(hierarchies, layout.cgroup).map((file) => `echo 0 > ${quote(file)}`);
  const script = [...enterGroup, 'exec unshare --cgroup sh -c "$1"'].join('\n');
  const keeper = spawn('sh', ['-euc', script, 'sh', outerScript(setup)], {
    detached: true, // Ctrl-C in the terminal of `lab up` must not kill hosts directly: the rollback does that, in order
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await waitUntilReady(keeper, host.name);
  return firstProcess(keeper, host.name);
}

/** Existing files stay: a host that boots again has its own files. */
function writeHostFiles(etc: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    if (!existsSync(join(etc, name))) writeFileSync(join(etc, name), content);
  }
}

/** Waits until the set-up is complete; rejects when it ends before. */
function waitUntilReady(keeper: ChildProcess, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    let errors = '';
    keeper.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    keeper.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (!output.includes(readyLine)) return;
      detach(keeper);
      resolve();
    });
    keeper.once('error', reject);
    keeper.once('close', () => reject(new NetyardError('failed', `lab host ${host}: ${errors.trim()}`)));
  });
}

/** The host outlives this process and must not keep its event loop running. */
function detach(keeper: ChildProcess): void {
  keeper.removeAllListeners();
  keeper.stdout?.destroy();
  keeper.stderr?.destroy();
  keeper.unref();
}

function firstProcess(keeper: ChildProcess, host: string): ProcessIdentity {
  const [pid] = keeper.pid === undefined ? [] : childrenOf(keeper.pid);
  const found = pid === undefined ? undefined : identifyProcess(pid);
  if (found) return found;
  throw new NetyardError('failed', `lab host ${host}: its first process has ended`);
}
