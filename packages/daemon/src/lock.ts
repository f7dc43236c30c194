/**
 * One daemon per data root: an exclusive SQLite transaction on a file of its own, which the kernel's record locks
 * (fcntl(2)) end with the process, however it ends, and which hold across network and process namespaces.
 */
import { DatabaseSync } from 'node:sqlite';
import { NetyardError } from '@netyard/core';

export interface Lock {
  release(): void;
}

/** Throws `conflict` when another process holds it. */
export function takeLock(path: string, whatFor: string): Lock {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new NetyardError('conflict', `another Netyard daemon uses ${whatFor}`, {
      hint: 'stop it first; a second daemon needs a host of its own, such as one of `netyard lab`',
      cause: error,
    });
  }
  return { release: () => database.close() };
}
