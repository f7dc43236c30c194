/** The dependencies that creating, deleting and entering tasks share. */
import type { Logger } from '@netyard/core';
import type { CgroupFacts } from '../spec/limits.ts';
import type { Calls } from './calls.ts';
import type { CgroupMounts } from './cgroups.ts';
import type { OomKills } from './oom-kills.ts';
import type { ParentCgroup } from './parent-cgroup.ts';
import type { OciRuntimes } from './runtimes.ts';
import type { SeccompCache } from './seccomp-cache.ts';
import type { ShimStarter } from './shim-starter.ts';
import type { TaskEvents } from './task-events.ts';

export interface TaskContext {
  calls: Calls;
  events: Pick<TaskEvents, 'exitOf'>;
  oomKills: OomKills;
  runtimes: OciRuntimes;
  cgroups: CgroupMounts & CgroupFacts;
  parentCgroup: ParentCgroup;
  filters: SeccompCache;
  /** Without it containerd starts the shims. */
  shims: ShimStarter | undefined;
  /** Covers directories that are masked; without it the runtime does it. */
  emptyFolder: string | undefined;
  /** The OCI runtime's state directory. */
  runtimeRoot: string;
  /** PATH of the daemon, in which tini is looked up. */
  searchPath: string;
  logger: Logger;
}
