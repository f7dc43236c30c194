/** Removing folders with all that is in them. */
import { randomUUID } from 'node:crypto';
import { type Dirent, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TimeSlice } from '@netyard/core';
import { hasErrno } from './ffi/errno.ts';

/** So many entries take a millisecond or two. */
const fewEntries = 64;

/**
 * Never follows a link; fine when it is gone. A small tree goes at once: through libuv's threads each entry takes several
 * turns of the event loop, which for a container's few files was a tenth of the time of `docker rm`. A large one goes
 * that way nonetheless, so that others have their turn. EquivalentCommand: `rm -rf PATH`.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    if (removeFew(path, { left: fewEntries })) return;
  } catch {
    // whatever it was, the thorough way meets it again, and says so in its own words
  }
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!hasErrno(error, 'ENAMETOOLONG')) throw error;
    await flatten(path);
  }
}

/**
 * Removes a tree of any depth: a container can make paths that are longer than the kernel takes in one piece. Folders
 * are moved up to the top, level by level, so that every path is short and none is held open.
 */
async function flatten(top: string): Promise<void> {
  const turn = new TimeSlice();
  const prefix = randomUUID();
  let moved = 0;
  for (let entries = entriesOf(top); entries.length > 0; entries = entriesOf(top)) {
    for (const entry of entries) {
      const place = below(top, entry.name);
      if (!entry.isDirectory()) unlinkSync(place);
      else {
        for (const inner of entriesOf(place)) {
          if (turn.isOver) await turn.next();
          if (inner.isDirectory()) renameSync(below(place, inner.name), join(top, `${prefix}-${moved++}`));
          else unlinkSync(below(place, inner.name));
        }
        rmdirSync(place);
      }
    }
  }
  rmdirSync(top);
}

const entriesOf = (folder: string | Buffer): Dirent<Buffer>[] =>
  readdirSync(folder, { withFileTypes: true, encoding: 'buffer' });

const below = (folder: string | Buffer, name: Buffer): Buffer =>
  Buffer.concat([Buffer.from(folder), Buffer.from('/'), name]);

/** @returns false when there was more than `budget.left`; what was removed stays so. */
function removeFew(folder: string, budget: { left: number }): boolean {
  const entries = readdirSync(folder, { withFileTypes: true });
  budget.left -= entries.length;
  if (budget.left < 0) return false;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) unlinkSync(path);
    else if (!removeFew(path, budget)) return false;
  }
  rmdirSync(folder);
  return true;
}
