/**
 * Loads the bundles of the daemon and of its threads once, so that Node writes their compiled code into
 * NODE_COMPILE_CACHE; bin/netyard starts the daemon with the same folder.
 *
 * Node writes the cache of a process when it ends. A daemon that is killed never writes one, and one without HOME has no
 * place for it.
 */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ToThread } from '@netyard/core';

const top = join(import.meta.dirname, '..');

/**
 * A thread without its `workerData` fails as soon as it runs, when all its modules have been loaded; one that waits for jobs
 * gets the message to end.
 */
function loadThread(file: string): Promise<void> {
  const worker = new Worker(pathToFileURL(join(top, file)));
  worker.postMessage('end' satisfies ToThread<never>);
  return new Promise((resolve) => {
    worker.once('error', () => {});
    worker.once('exit', () => resolve());
  });
}

execFileSync(join(top, 'bin/netyard'), ['daemon', '--help'], { stdio: ['ignore', 'ignore', 'inherit'] });
for (const file of globSync('packages/cli/dist/*-thread.cjs', { cwd: top })) await loadThread(file);
