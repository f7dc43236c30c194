/**
 * Fails, naming the command to run, when node_modules is not what package-lock.json asks for. Otherwise a checkout that got
 * a new package fails with a page of type errors about modules that cannot be found.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A lock file, or npm's copy of it for what is installed (node_modules/.package-lock.json). */
export interface LockFile {
  packages: Readonly<Record<string, { version?: string; link?: boolean; optional?: boolean }>>;
}

/** Names of required packages that are missing, or installed in another version. Pure. */
export function findOutdated(required: LockFile, installed: LockFile): string[] {
  return Object.entries(required.packages)
    .filter(([path, { optional }]) => path.startsWith('node_modules/') && optional !== true)
    .filter(([path, { version }]) => {
      const found = installed.packages[path];
      return found === undefined || found.version !== version;
    })
    .map(([path]) => path.replace('node_modules/', ''));
}

function readLock(path: string): LockFile {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LockFile;
  } catch {
    return { packages: {} };
  }
}

if (import.meta.main) {
  const top = join(import.meta.dirname, '..');
  const outdated = findOutdated(
    readLock(join(top, 'package-lock.json')),
    readLock(join(top, 'node_modules/.package-lock.json')),
  );
  if (outdated.length > 0) {
    const shown = outdated.slice(0, 5).join(', ');
    const rest = outdated.length > 5 ? ` and ${outdated.length - 5} more` : '';
    process.stderr.write(`node_modules is older than package-lock.json: run script/bootstrap (${shown}${rest})\n`);
    process.exit(1);
  }
}
