/** What is remembered of a lab while it stands: one JSON file, written before each step so that a crash leaves a trace. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import { hasErrno } from '@netyard/kernel';
import { z } from 'zod';
import type { LabDefinition } from './definition.ts';
import { labPlaces, runRoot } from './places.ts';

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
const stateSchema = z.object({
  lab: definition,
  /** `starting` until all is up; what is still so after its process ended has crashed. */
  phase: z.enum(['starting', 'up']),
  /** The process that makes it. */
  maker: identity,
  /** Each host's first process. */
  inits: z.record(z.string(), identity),
});

export type LabState = z.infer<typeof stateSchema>;

const statePath = (lab: string): string => join(labPlaces(lab).run, 'state.json');

/** Takes the lab's name on this machine. Throws `conflict` when it is taken. */
export function claimName(lab: LabDefinition): void {
  const { run, data } = labPlaces(lab.name);
  mkdirSync(runRoot, { recursive: true, mode: 0o755 });
  const taken = (): NetyardError =>
    new NetyardError('conflict', `a lab called ${lab.name} is there already`, {
      hint: `netyard lab down ${lab.name}`,
    });
  if (existsSync(data)) throw taken();
  try {
    mkdirSync(run, { mode: 0o755 });
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) throw taken();
    throw error;
  }
}

export function writeState(state: LabState): void {
  const path = statePath(state.lab.name);
  writeFileSync(`${path}.new`, `${JSON.stringify(state, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}

/** Undefined when there is no such lab, or one that crashed before it wrote anything. */
export function readState(lab: string): LabState | undefined {
  let text: string;
  try {
    text = readFileSync(statePath(lab), 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  const parsed = stateSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data as LabState;
  throw new NetyardError('internal', `${statePath(lab)} is not a lab's state: ${parsed.error.issues[0]?.message}`);
}

/** Names of all labs of which anything is there, sorted. */
export function labNames(): string[] {
  return existsSync(runRoot) ? readdirSync(runRoot).sort() : [];
}
