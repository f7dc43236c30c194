/**
 * Files below the data root in which a host saves its membership: its identity and subnet (written before the subnet is
 * used), and the last known state of the other hosts (for a start while etcd is unreachable; may be stale).
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, reasonOf } from '@netyard/core';
import { z } from 'zod';

const memberSchema = z.object({
  /** Generated once per data root. */
  id: z.uuid(),
  /** The last membership; absent before the first one and after leaving. */
  membership: z
    .object({
      cluster: z.string(),
      hostName: z.string(),
      address: z.string(),
      subnet: z.string(),
      pool: z.object({ subnet: z.string(), subnetSize: z.int() }),
    })
    .optional(),
});
const knownSchema = z.object({
  cluster: z.string(),
  entries: z.array(z.object({ key: z.string(), text: z.string() })),
});

export type SavedMember = z.infer<typeof memberSchema>;
export type SavedMembership = NonNullable<SavedMember['membership']>;
export type SavedEntries = z.infer<typeof knownSchema>;

export interface MembershipFiles {
  member(): SavedMember;
  putMembership(membership: SavedMembership | undefined): void;
  known(): SavedEntries | undefined;
  putKnown(known: SavedEntries): void;
}

/** Creates `folder` and an id if they do not exist. */
export function openMembershipFiles(folder: string, logger: Logger): MembershipFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const memberPath = join(folder, 'member.json');
  const knownPath = join(folder, 'known.json');
  let member = read(memberPath, memberSchema, logger);
  if (!member) {
    member = { id: randomUUID() };
    write(memberPath, member);
  }
  let current: SavedMember = member;
  return {
    member: () => current,
    putMembership(membership) {
      const next: SavedMember = membership ? { id: current.id, membership } : { id: current.id };
      if (JSON.stringify(next) === JSON.stringify(current)) return;
      write(memberPath, next);
      current = next;
    },
    known: () => read(knownPath, knownSchema, logger),
    putKnown: (known) => write(knownPath, known),
  };
}

function read<T extends z.ZodType>(path: string, schema: T, logger: Logger): z.infer<T> | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!absent) logger.warn('cannot read the saved state of the cluster; starting without it', { path, error });
    return undefined;
  }
}

/** Replaces the file atomically, also across a power failure. */
function write(path: string, value: unknown): void {
  const next = `${path}.next`;
  const file = openSync(next, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(value)}\n`);
    fsyncSync(file);
  } catch (error) {
    throw new Error(`cannot write ${next}: ${reasonOf(error)}`, { cause: error });
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
}
