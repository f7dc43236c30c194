/**
 * The saved state of a running lab, as JSON: a file for the lab and one for each host, so that commands on different
 * hosts do not conflict. Each is written before the step that needs it, so that a crash leaves a trace.
 */
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { NetyardError } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { z } from 'zod';
import type { LabDefinition } from './definition.ts';
import { labLayout, runRoot } from './layout.ts';
import { identifyProcess, isAlive, type ProcessIdentity } from './process-table.ts';

const identity = z.object({ pid: z.number(), startTime: z.string() });
const definition = z.object({
  name: z.string(),
  switches: z.array(z.object({ name: z.string(), prefix: z.string(), mtu: z.number().exactOptional() })),
  hosts: z.array(
    z.object({
      name: z.string(),
      uplinks: z.array(z.object({ switch: z.string(), link: z.string(), address: z.string() })),
      routes: z.array(z.object({ to: z.string(), via: z.string() })).exactOptional(),
      role: z.literal('router').exactOptional(),
      bip: z.string().exactOptional(),
      daemon: z.boolean(),
      daemonOptions: z.array(z.string()),
      services: z
        .array(z.object({ name: z.string(), run: z.string(), ready: z.string().exactOptional() }))
        .exactOptional(),
    }),
  ),
});
const labSchema = z.object({
  lab: definition,
  /** `starting` until everything is up; if the creating process has ended in this phase, it crashed. */
  phase: z.enum(['starting', 'up']),
  /** The process that creates the lab. */
  maker: identity,
});
const hostSchema = z.object({
  /** The host's first process; absent while the host is off. */
  init: identity.exactOptional(),
  /** Switches whose cable is cut. */
  cut: z.array(z.string()),
});

export type HostState = z.infer<typeof hostSchema>;
export interface LabState {
  lab: LabDefinition;
  phase: 'starting' | 'up';
  maker: ProcessIdentity;
  /** State of the hosts that were created. */
  hosts: Readonly<Record<string, HostState>>;
}

/** How long another command may work on a host: longer than a daemon's start. */
const timeoutMs = 120_000;

const statePath = (lab: string): string => join(labLayout(lab).run, 'state.json');
const hostsFolder = (lab: string): string => join(labLayout(lab).run, 'hosts');
const lockPath = (lab: string, host: string): string => `${hostPath(lab, host)}.lock`;
const hostPath = (lab: string, host: string): string => join(hostsFolder(lab), `${host}.json`);

/** Reserves the lab's name on this machine. Throws `conflict` when it is in use. */
export function claimName(lab: LabDefinition): void {
  const { run, data } = labLayout(lab.name);
  const taken = (): NetyardError =>
    new NetyardError('conflict', `lab ${lab.name} already exists`, {
      hint: `run \`netyard lab down ${lab.name}\` to delete it`,
    });
  if (existsSync(data)) throw taken();
  for (;;) {
    mkdirSync(runRoot, { recursive: true, mode: 0o755 });
    try {
      mkdirSync(run, { mode: 0o755 });
      return;
    } catch (error) {
      if (hasErrno(error, 'EEXIST')) throw taken();
      // Otherwise the deletion of another lab has removed the empty parent.
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}

export function writeLabState(state: Omit<LabState, 'hosts'>): void {
  mkdirSync(hostsFolder(state.lab.name), { recursive: true });
  writeJson(statePath(state.lab.name), state);
}

export const writeHostState = (lab: string, host: string, state: HostState): void =>
  writeJson(hostPath(lab, host), state);

function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(value, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}

/** Undefined when the lab does not exist, or crashed before its first write. */
export function readState(lab: string): LabState | undefined {
  const found = readJson(statePath(lab), labSchema);
  if (!found) return undefined;
  const hosts = found.lab.hosts.flatMap(({ name }): [string, HostState][] => {
    const host = readHostState(lab, name);
    return host ? [[name, host]] : [];
  });
  return { ...found, hosts: Object.fromEntries(hosts) };
}

/** Undefined before the host was created. */
export const readHostState = (lab: string, host: string): HostState | undefined =>
  readJson(hostPath(lab, host), hostSchema);

function readJson<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new NetyardError('failed', `${path} is not a valid lab state: ${parsed.error.issues[0]?.message}`);
}

/** Runs work with the host's lock held; waits for the lock. Throws `conflict` after a timeout. */
export async function withHost<T>(lab: string, host: string, work: () => Promise<T>): Promise<T> {
  const path = lockPath(lab, host);
  while (!lock(path)) {
    await waitUntilUnlocked(lab, host);
    deleteStaleLock(path);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** Deletes the lock that a crashed process left, but not the one that a faster waiter has created meanwhile. */
function deleteStaleLock(path: string): void {
  const holder = readJson(path, identity);
  if (holder && !isAlive(holder)) rmSync(path, { force: true });
}

/** Creates a lock file with our identity, atomically with its content. */
function lock(path: string): boolean {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify(identifyProcess(process.pid)));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Waits while another command works on a host. Throws `conflict` after a timeout. */
export async function waitUntilUnlocked(lab: string, host: string): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const holder = readJson(lockPath(lab, host), identity);
    if (!holder || !isAlive(holder)) return;
    if (Date.now() > deadline)
      throw new NetyardError('conflict', `lab host ${lab}/${host} is in use by process ${holder.pid}`);
    await pause(20);
  }
}

/** Names of all labs with any trace on this machine, sorted. */
export function labNames(): string[] {
  try {
    return readdirSync(runRoot).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
