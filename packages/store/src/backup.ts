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
      reject(new Error('the check ended without an answer'));
    });
  });
}

export interface BackupOptions {
  /** Writes the draft; rejects when it cannot, and soon after the signal is aborted. */
  copy: (draft: string, signal: AbortSignal) => Promise<unknown>;
  path: string;
  everyMs: number;
  logger: Logger;
}

/**
 * Keeps a copy that is at most that old, and the one before it. Returns a function that ends this: it aborts the copy
 * being made, if any, and resolves when nothing touches the files any more; undefined when that is so already.
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
      if (found !== 'ok') throw new Error(`the copy is not whole: ${found}`);
      ending.signal.throwIfAborted();
      keepLast(path);
      renameSync(draft, path);
    } catch (error) {
      for (const file of [draft, `${draft}-journal`, `${draft}-wal`]) rmSync(file, { force: true });
      if (!ending.signal.aborted)
        logger.warn('the backup copy of the database could not be made', { error: messageOf(error) });
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

/** Under a second name; the first one is never missing. */
function keepLast(path: string): void {
  if (!existsSync(path)) return;
  rmSync(`${path}.1`, { force: true });
  linkSync(path, `${path}.1`);
}
