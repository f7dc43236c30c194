/**
 * Permits one daemon per data root: an exclusive SQLite transaction on a file of its own. The kernel's record locks
 * (fcntl(2)) end with the process, however it ends, and hold across network and process namespaces.
 */
import { chmodSync, closeSync, existsSync, lstatSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { NetyardError } from '@netyard/core';

export interface Lock {
  release(): void;
}

/** SQLITE_BUSY (sqlite.org/rescode.html). */
const busy = 5;

/**
 * Throws `unavailable` when the file cannot be written, `conflict` when another process holds it. The file is deleted
 * when the lock is released.
 */
export function takeLock(path: string, whatFor: string): Lock {
  closeToOthers(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    // Its previous holder may have deleted the file since we opened it: then the lock is on a deleted file.
    if (!existsSync(path)) throw new Error('the other daemon is just ending');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode !== busy) {
      throw new NetyardError('unavailable', `cannot lock ${path}: ${error.message}`, { cause: error });
    }
    throw new NetyardError('conflict', `another Netyard daemon uses ${whatFor}`, {
      hint: 'stop it first; to run a second daemon, use another host such as one of `netyard lab`',
      cause: error,
    });
  }
  return {
    release() {
      rmSync(path, { force: true });
      database.close();
    },
  };
}

/**
 * Makes the lock file accessible to root only before SQLite opens it. A read-only descriptor is enough for a record
 * lock: with mode 0644 any local user could hold one and so keep the daemon from starting. An existing file is changed
 * by path: closing a descriptor of it would release a lock that this process holds (fcntl(2)).
 */
function closeToOthers(path: string): void {
  const existing = lstatSync(path, { throwIfNoEntry: false });
  if (!existing) {
    closeSync(openSync(path, 'a', 0o600));
    return;
  }
  if (!existing.isFile())
    throw new NetyardError('conflict', `lock file ${path} is not a regular file`, { hint: `remove ${path}` });
  if ((existing.mode & 0o077) !== 0) chmodSync(path, 0o600);
}

/**
 * Whether a process of this process namespace holds the lock, from proc_locks(5): trying to lock the file, even shared,
 * would make the start of a daemon at the same moment fail. Inodes are compared without their device, since some file
 * systems show another one there.
 */
export function isLockHeld(path: string): boolean {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return false;
  const locks = readFileSync('/proc/locks', 'utf8').split('\n');
  return locks.some((line) => / WRITE +-?\d+ +\w+:\w+:(\d+) /.exec(line)?.[1] === String(inode));
}
