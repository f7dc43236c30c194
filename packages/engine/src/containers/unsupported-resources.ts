/** Discards limits that this kernel's cgroup controllers lack, with Docker's warning. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { Resources } from '../model.ts';

type Limit = {
  /** Files in the root of the version 1 hierarchy; a kernel that supports the limit has one of them. */
  controller: string;
  files: readonly string[];
  isSet(resources: Resources): boolean;
  /** Values that stand for no limit, or the names of limits that are left out. */
  without: Partial<Resources> | readonly (keyof Resources)[];
  warning: string;
};

type DeviceLimitKey =
  | 'weightDevices'
  | 'readBytesPerSecond'
  | 'writeBytesPerSecond'
  | 'readsPerSecond'
  | 'writesPerSecond';

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
    // Not blkio.bfq.weight: crun knows this name alone, and Docker looks for no other.
    files: ['blkio.weight'],
    isSet: ({ blkioWeight }) => blkioWeight > 0,
    without: { blkioWeight: 0 },
    warning: 'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
  },
  {
    controller: 'memory',
    files: ['memory.swappiness'],
    isSet: ({ swappiness }) => swappiness !== undefined,
    without: ['swappiness'],
    warning:
      'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
  },
  deviceLimit('weightDevices', 'blkio.weight_device', 'Block I/O weight_device', 'Weight-device'),
  deviceLimit(
    'readBytesPerSecond',
    'blkio.throttle.read_bps_device',
    'BPS Block I/O read limit',
    'Block I/O BPS read limit',
  ),
  deviceLimit(
    'writeBytesPerSecond',
    'blkio.throttle.write_bps_device',
    'BPS Block I/O write limit',
    'Block I/O BPS write limit',
  ),
  deviceLimit(
    'readsPerSecond',
    'blkio.throttle.read_iops_device',
    'IOPS Block read limit',
    'Block I/O IOPS read limit',
  ),
  deviceLimit(
    'writesPerSecond',
    'blkio.throttle.write_iops_device',
    'IOPS Block write limit',
    'Block I/O IOPS write limit',
  ),
];

function deviceLimit(key: DeviceLimitKey, file: string, what: string, discarded: string): Limit {
  return {
    controller: 'blkio',
    files: [file],
    isSet: (resources) => (resources[key] ?? []).length > 0,
    without: [key],
    warning: `Your kernel does not support ${what} or the cgroup is not mounted. ${discarded} discarded.`,
  };
}

/**
 * A controller of version 1 whose hierarchy is not below `root` is not checked: the OCI runtime reports what it lacks.
 * Version 2 has no swappiness and no switch for the OOM killer.
 */
export function discardUnsupported(
  resources: Resources,
  version: '1' | '2',
  root = '/sys/fs/cgroup',
): { resources: Resources; warnings: string[] } {
  const isMissing = ({ controller, files }: Limit): boolean => {
    if (version === '2') return files.some((file) => onlyInVersion1.includes(file));
    const folder = join(root, controller);
    return existsSync(folder) && !files.some((file) => existsSync(join(folder, file)));
  };
  const missing = limits.filter((limit) => limit.isSet(resources) && isMissing(limit));
  return {
    resources: missing.reduce(discard, resources),
    warnings: missing.map(({ warning }) => warning),
  };
}

const onlyInVersion1: readonly string[] = ['memory.swappiness', 'memory.oom_control'];

function discard(resources: Resources, { without }: Limit): Resources {
  if (!Array.isArray(without)) return { ...resources, ...without };
  const left = Object.entries(resources).filter(([key]) => !without.includes(key));
  return Object.fromEntries(left) as unknown as Resources;
}

/** Throws `invalid` where the kernel has no real-time group scheduling (version 2 never has), in Docker's words. */
export function checkRealtime(
  { cpuRealtimePeriod = 0, cpuRealtimeRuntime = 0 }: Resources,
  version: '1' | '2',
  root = '/sys/fs/cgroup',
): void {
  if (cpuRealtimePeriod === 0 && cpuRealtimeRuntime === 0) return;
  const cpu = join(root, 'cpu');
  if (version === '2' || (existsSync(cpu) && !existsSync(join(cpu, 'cpu.rt_runtime_us'))))
    throw new NetyardError('invalid', 'kernel does not support CPU real-time scheduler');
  if (cpuRealtimePeriod !== 0 && cpuRealtimeRuntime > cpuRealtimePeriod)
    throw new NetyardError('invalid', 'cpu real-time runtime cannot be higher than cpu real-time period');
}
