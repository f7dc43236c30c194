/** Runs the calls of `mountFileSystem` and reports the errno of the one that failed, or 0. */
import { parentPort, workerData } from 'node:worker_threads';
import { KernelError } from '@netyard/core';
import type { MountCall } from './mount-options.ts';
import { mount, unmount } from './mounts.ts';

const { target, calls } = workerData as { target: string; calls: MountCall[] };

function run(): number {
  let mounted = false;
  try {
    for (const call of calls) {
      mount({ ...call, target });
      mounted = true;
    }
    return 0;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    if (mounted) unmount(target, { lazy: true });
    return error.errno;
  }
}

parentPort?.postMessage(run());
