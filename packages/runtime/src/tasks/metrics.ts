/**
 * Reads a container's resource usage from its cgroup's files, without containerd and the shim, which are slower and
 * return less. v1: Documentation/admin-guide/cgroup-v1; v2: Documentation/admin-guide/cgroup-v2.rst.
 */
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { TaskMetrics } from '@netyard/engine';
import { hasErrno } from '@netyard/kernel';
import { mostPids } from '../spec/limits.ts';
import { type CgroupMounts, cgroupFolder } from './cgroups.ts';
import { blockCounters, flatKeyed, ioStat, limitOf, numberOf, numbersOf } from './metrics-text.ts';

/** Text of a file of the group; '' when the kernel has none. */
type ReadText = (controller: string, file: string) => Promise<string>;

const nanosecondsPerMicrosecond = 1000;
/** Kernel's USER_HZ, the unit of cpuacct.stat. */
const nanosecondsPerTick = 10_000_000;

const readerOf =
  (mounts: CgroupMounts, cgroupPath: string): ReadText =>
  async (controller, file) => {
    const folder = cgroupFolder(mounts, controller, cgroupPath);
    if (folder === undefined) return '';
    try {
      return await readFile(join(folder, file), 'utf8');
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return ''; // not in this kernel, or just deleted
      throw error;
    }
  };

/** What is read of many containers at once. */
export type TaskUsage = Pick<TaskMetrics, 'memoryUsage' | 'memoryStats' | 'cpuTotal'>;

/** CPU time and memory only. Throws `not-found`. */
export async function readUsage(mounts: CgroupMounts, cgroupPath: string): Promise<TaskUsage> {
  const read = readerOf(mounts, cgroupPath);
  const isUnified = mounts.version === '2';
  const [cpu, usage, memory] = await Promise.all([
    isUnified ? read('', 'cpu.stat') : read('cpuacct', 'cpuacct.usage'),
    isUnified ? read('', 'memory.current') : read('memory', 'memory.usage_in_bytes'),
    read(isUnified ? '' : 'memory', 'memory.stat'),
  ]);
  // Every group has the file; a kernel without the controller for memory has none of the others.
  if (cpu === '') throw new NetyardError('not-found', `no such cgroup: ${cgroupPath}`);
  return {
    cpuTotal: isUnified ? (flatKeyed(cpu)['usage_usec'] ?? 0) * nanosecondsPerMicrosecond : numberOf(cpu),
    memoryUsage: numberOf(usage),
    memoryStats: flatKeyed(memory),
  };
}

export async function readMetrics(mounts: CgroupMounts, cgroupPath: string): Promise<TaskMetrics> {
  const read = readerOf(mounts, cgroupPath);
  const [pids, limit] = await Promise.all([read('pids', 'pids.current'), read('pids', 'pids.max')]);
  const rest = mounts.version === '2' ? await readUnified(read) : await readLegacy(read);
  const pidsLimit = limitOf(limit, 0);
  return { pids: numberOf(pids), pidsLimit: pidsLimit < mostPids ? pidsLimit : 0, ...rest };
}

type Figures = Omit<TaskMetrics, 'pids' | 'pidsLimit'>;

async function readUnified(read: ReadText): Promise<Figures> {
  const [usage, limit, peak, memory, cpu, io] = await Promise.all(
    ['memory.current', 'memory.max', 'memory.peak', 'memory.stat', 'cpu.stat', 'io.stat'].map((file) => read('', file)),
  );
  const cpuStat = flatKeyed(cpu);
  const micro = (key: string): number => (cpuStat[key] ?? 0) * nanosecondsPerMicrosecond;
  return {
    memoryUsage: numberOf(usage),
    memoryLimit: limitOf(limit, totalmem()),
    memoryMax: numberOf(peak),
    memoryStats: flatKeyed(memory),
    cpuTotal: micro('usage_usec'),
    cpuUser: micro('user_usec'),
    cpuSystem: micro('system_usec'),
    perCpu: [],
    throttling: {
      periods: cpuStat['nr_periods'] ?? 0,
      throttledPeriods: cpuStat['nr_throttled'] ?? 0,
      throttledTime: micro('throttled_usec'),
    },
    io: ioStat(io),
  };
}

async function readLegacy(read: ReadText): Promise<Figures> {
  const [usage, limit, peak, memory] = await Promise.all(
    ['memory.usage_in_bytes', 'memory.limit_in_bytes', 'memory.max_usage_in_bytes', 'memory.stat'].map((file) =>
      read('memory', file),
    ),
  );
  const [total, split, perCpu] = await Promise.all(
    ['cpuacct.usage', 'cpuacct.stat', 'cpuacct.usage_percpu'].map((file) => read('cpuacct', file)),
  );
  const [cpu, io] = await Promise.all([
    read('cpu', 'cpu.stat'),
    read('blkio', 'blkio.throttle.io_service_bytes_recursive'),
  ]);
  const cpuStat = flatKeyed(cpu);
  const ticks = flatKeyed(split);
  return {
    memoryUsage: numberOf(usage),
    memoryLimit: limitOf(limit, totalmem()),
    memoryMax: numberOf(peak),
    memoryStats: flatKeyed(memory),
    cpuTotal: numberOf(total),
    cpuUser: (ticks['user'] ?? 0) * nanosecondsPerTick,
    cpuSystem: (ticks['system'] ?? 0) * nanosecondsPerTick,
    perCpu: numbersOf(perCpu),
    throttling: {
      periods: cpuStat['nr_periods'] ?? 0,
      throttledPeriods: cpuStat['nr_throttled'] ?? 0,
      throttledTime: cpuStat['throttled_time'] ?? 0,
    },
    io: blockCounters(io),
  };
}
