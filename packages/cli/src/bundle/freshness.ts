/**
 * Compares the files that a bundle was built from with the files as they are now. Part of the bundle: script/build-commands.ts
 * puts a call before the code of each chunk that is loaded on its own, so that code of an earlier version never runs.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Path from the project's folder, size, ctime in milliseconds (0: not comparable), SHA-256 in hexadecimal digits. */
export type Input = readonly [path: string, size: number, changed: number, hash: string];

/** The bundle is `packages/cli/dist` of the project. */
const top = join(__dirname, '../../..');
const current = new Set<string>();

/** A file counts as unchanged if its size and ctime are, and otherwise if its contents are: after a copy, for example. */
export function isFresh(inputs: readonly Input[]): boolean {
  return inputs.every(([path, size, changed, hash]) => {
    if (current.has(path)) return true;
    const file = join(top, path);
    const now = statSync(file, { throwIfNoEntry: false });
    if (now?.size !== size || (now.ctimeMs !== changed && hashOf(file) !== hash)) return false;
    current.add(path);
    return true;
  });
}

/** Runs the sources instead of the bundle, in this process. */
export const runSources = (entry: string): Promise<unknown> => import(pathToFileURL(join(top, entry)).href);

/**
 * For a chunk that is loaded later, when the process already runs code of the bundle: starts the program again from its
 * sources, in the same process. The first chunk with a command's code comes before the command does anything, and is
 * checked together with all chunks that the command may load.
 */
export function restartUnlessFresh(inputs: readonly Input[], entry: string): void {
  if (isFresh(inputs)) return;
  const flags = [...process.execArgv, '--', join(top, entry)];
  process.execve?.(process.execPath, [process.execPath, ...flags, ...process.argv.slice(2)], process.env);
}

function hashOf(file: string): string {
  return process.getBuiltinModule('node:crypto').hash('sha256', readFileSync(file));
}
