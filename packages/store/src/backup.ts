/** A backup copy of the database, checked before it takes the last one's place. */
import { existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Logger, messageOf } from '@netyard/core';

/** In a thread: copies, checks and renames. `copy` is the draft; only a whole one gets the final name. */
const work = `
  const { workerData, parentPort } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const copy = new DatabaseSync(workerData.draft);
  const found = copy.prepare('PRAGMA integrity_check(1)').get();
  copy.exec('PRAGMA journal_mode = DELETE');
  copy.close();
  parentPort.postMessage(String(found.integrity_check));
`;

/** Checks a draft in another thread; resolves with SQLite's word on it. */
function check(draft: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(work, { eval: true, workerData: { draft } });
    worker.unref();
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the check ended without an answer')));
  });
}

export interface BackupOptions {
  /** Writes the draft; rejects when it cannot. */
  copy: (draft: string) => Promise<unknown>;
  path: string;
  everyMs: number;
  logger: Logger;
}

/** Keeps a copy that is at most that old, and the one before it. Returns how to end. */
export function keepBackups({ copy, path, everyMs, logger }: BackupOptions): () => void {
  let busy = false;
  const make = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    const draft = `${path}.new`;
    try {
      rmSync(draft, { force: true });
      await copy(draft);
      const found = await check(draft);
      if (found !== 'ok') throw new Error(`the copy is not whole: ${found}`);
      keepLast(path);
      renameSync(draft, path);
    } catch (error) {
      rmSync(draft, { force: true });
      logger.warn('the backup copy of the database could not be made', { error: messageOf(error) });
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void make(), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Under a second name; the first one is never missing. */
function keepLast(path: string): void {
  if (!existsSync(path)) return;
  rmSync(`${path}.1`, { force: true });
  linkSync(path, `${path}.1`);
}
