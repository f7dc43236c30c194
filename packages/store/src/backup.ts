/** A backup copy of the database, verified before it replaces the previous one. */
import { existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type Logger, messageOf } from '@netyard/core';

/** Runs in a thread: copies, verifies and renames. `copy` is the draft; only a verified one gets the final name. */
const work = `
  const { workerData, parentPort } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const copy = new DatabaseSync(workerData.draft);
  const found = copy.prepare('PRAGMA integrity_check(1)').get();
  copy.exec('PRAGMA journal_mode = DELETE');
  copy.close();
  parentPort.postMessage(String(found.integrity_check));
`;

/** Verifies a draft in another thread; resolves with SQLite's result. */
function check(draft: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(work, { eval: true, workerData: { draft } });
    worker.unref();
    const end = (): void => void worker.terminate();
    signal.addEventListener('abort', end);
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => {
      signal.removeEventListener('abort', end);
      reject(new Error('the check ended without a result'));
    });
  });
}

export interface BackupOptions {
  /** Writes the draft; rejects on failure, and soon after the signal is aborted. */
  copy: (draft: string, signal: AbortSignal) => Promise<unknown>;
  path: string;
  everyMs: number;
  logger: Logger;
}

/**
 * Keeps a copy of at most that age, and the previous one. Returns a function that stops this: it aborts the copy in
 * progress, if any, and resolves when the files are no longer in use; undefined if they are not in use.
 */
export function keepBackups({ copy, path, everyMs, logger }: BackupOptions): () => Promise<void> | undefined {
  const ending = new AbortController();
  let making: Promise<void> | undefined;
  const make = async (): Promise<void> => {
    const draft = `${path}.new`;
    try {
      rmSync(draft, { force: true });
      await copy(draft, ending.signal);
      const found = await check(draft, ending.signal);
      if (found !== 'ok') throw new Error(`the copy is damaged: ${found}`);
      ending.signal.throwIfAborted();
      keepLast(path);
      renameSync(draft, path);
    } catch (error) {
      for (const file of [draft, `${draft}-journal`, `${draft}-wal`]) rmSync(file, { force: true });
      if (!ending.signal.aborted)
        logger.warn('making the backup copy of the database failed', { error: messageOf(error) });
    }
  };
  const timer = setInterval(() => {
    making ??= make().finally(() => {
      making = undefined;
    });
  }, everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    ending.abort();
    return making;
  };
}

/** As a hard link: the first name never disappears. */
function keepLast(path: string): void {
  if (!existsSync(path)) return;
  rmSync(`${path}.1`, { force: true });
  linkSync(path, `${path}.1`);
}
