/**
 * Marks of unfinished work: one empty file per container, blob or layer that is being created or removed.
 *
 *     unfinished/NAME       `container ID`, `blob DIGEST` or `layer CHAIN-ID`, percent-encoded
 *
 * The database records the same, but an older copy of a database also lists as unfinished what was finished since. The
 * start therefore deletes only what both name: a mark exists from before the first change until the object is complete.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface UnfinishedMarks {
  has(name: string): boolean;
  names(): string[];
  /** Throws when the file cannot be created. */
  add(name: string): void;
  remove(name: string): void;
}

/** Reads the folder once; afterwards files are only created and deleted. */
export function openUnfinishedMarks(folder: string): UnfinishedMarks {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const names = new Set(readdirSync(folder).flatMap((file) => decodeName(file) ?? []));
  const pathOf = (name: string): string => join(folder, encodeURIComponent(name));
  return {
    has: (name) => names.has(name),
    names: () => [...names],
    add(name) {
      if (names.has(name)) return;
      closeSync(openSync(pathOf(name), 'a', 0o600));
      names.add(name);
    },
    remove(name) {
      if (!names.has(name)) return;
      rmSync(pathOf(name), { force: true });
      names.delete(name);
    },
  };
}

/** Undefined for a file that is no mark. */
function decodeName(file: string): string | undefined {
  try {
    return decodeURIComponent(file);
  } catch {
    return undefined;
  }
}

/** For a store without a data root. */
export function marksInMemory(): UnfinishedMarks {
  const names = new Set<string>();
  return {
    has: (name) => names.has(name),
    names: () => [...names],
    add: (name) => void names.add(name),
    remove: (name) => void names.delete(name),
  };
}
