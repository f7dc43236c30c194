/** The thread of mount-options.ts: runs the calls of a mount and reports the errno of the one that failed, or 0. */
import { KernelError, serveJobs } from '@netyard/core';
import type { MountRequest } from './mount-options.ts';
import { mount, unmount } from './mounts.ts';

function run({ target, calls }: MountRequest): number {
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

serveJobs<MountRequest, number>((send) => (request) => send(run(request)));
