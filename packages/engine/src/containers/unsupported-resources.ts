/** Limits that this kernel's cgroup controllers lack: discarded with Docker's warning. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Resources } from '../model.ts';

type Limit = {
  /** Files in the root of the version 1 hierarchy, one of which a kernel with this limit has. */
  controller: string;
  files: readonly string[];
  isSet(resources: Resources): boolean;
  without: Partial<Resources>;
  warning: string;
};

const limits: readonly Limit[] = [
  {
    controller: 'memory',
    files: ['memory.memsw.limit_in_bytes'],
    isSet: ({ memory, memorySwap }) => memory > 0 && memorySwap !== -1,
    without: { memorySwap: -1 },
    warning:
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
  },
  {
    controller: 'memory',
    files: ['memory.soft_limit_in_bytes'],
    isSet: ({ memoryReservation }) => memoryReservation > 0,
    without: { memoryReservation: 0 },
    warning:
      'Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.',
  },
  {
    controller: 'memory',
    files: ['memory.oom_control'],
    isSet: ({ oomKillDisable }) => oomKillDisable,
    without: { oomKillDisable: false },
    warning: 'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
  },
  {
    controller: 'cpu',
    files: ['cpu.shares'],
    isSet: ({ cpuShares }) => cpuShares > 0,
    without: { cpuShares: 0 },
    warning: 'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
  },
  {
    controller: 'cpu',
    files: ['cpu.cfs_quota_us'],
    isSet: ({ cpuPeriod, cpuQuota }) => cpuPeriod !== 0 || cpuQuota !== 0,
    without: { cpuPeriod: 0, cpuQuota: 0 },
    warning: 'Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.',
  },
  {
    controller: 'blkio',
    files: ['blkio.weight', 'blkio.bfq.weight'],
    isSet: ({ blkioWeight }) => blkioWeight > 0,
    without: { blkioWeight: 0 },
    warning: 'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  },
];

/**
 * Version 2 has all of them. A controller whose hierarchy is not below `root` is not judged: the OCI runtime then says what
 * it lacks.
 */
export function discardUnsupported(
  resources: Resources,
  cgroupVersion: '1' | '2',
  root = '/sys/fs/cgroup',
): { resources: Resources; warnings: string[] } {
  if (cgroupVersion === '2') return { resources, warnings: [] };
  const missing = limits.filter(({ controller, files, isSet }) => {
    const folder = join(root, controller);
    return isSet(resources) && existsSync(folder) && !files.some((file) => existsSync(join(folder, file)));
  });
  const without = missing.map((limit) => limit.without);
  return { resources: Object.assign({}, resources, ...without), warnings: missing.map(({ warning }) => warning) };
}
