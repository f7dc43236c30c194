/** Translates counters of a container's cgroup and interfaces into Docker's statistics. Pure. */
import type { BlkioEntry, CpuStats, ContainerStats as DockerStats, NetworkStats } from '@netyard/api-types';
import { formatTime, zeroTime } from '@netyard/core';
import type { ContainerStats, TaskMetrics } from '@netyard/engine';
import { type ApiVersion, speaks } from '../versions.ts';

const noCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/** `previous`: the sample before, for rates. */
export function translateStats(
  current: ContainerStats,
  previous: ContainerStats | undefined,
  version: ApiVersion,
): DockerStats {
  const { metrics } = current;
  return {
    name: `/${current.name}`,
    id: current.id,
    ...(speaks(version, 52) ? { os_type: 'linux' } : {}),
    read: metrics ? formatTime(current.read) : zeroTime,
    preread: previous?.metrics ? formatTime(previous.read) : zeroTime,
    num_procs: 0,
    pids_stats: metrics ? translatePids(metrics) : {},
    blkio_stats: translateIo(metrics?.io ?? []),
    storage_stats: {},
    cpu_stats: translateCpu(current),
    precpu_stats: previous ? translateCpu(previous) : noCpu,
    memory_stats: metrics
      ? {
          usage: metrics.memoryUsage,
          ...(metrics.memoryMax > 0 ? { max_usage: metrics.memoryMax } : {}),
          stats: metrics.memoryStats,
          limit: metrics.memoryLimit,
        }
      : {},
    ...(Object.keys(current.networks).length > 0 ? { networks: translateNetworks(current.networks) } : {}),
  };
}

function translatePids({ pids, pidsLimit }: TaskMetrics): DockerStats['pids_stats'] {
  return { current: pids, ...(pidsLimit > 0 ? { limit: pidsLimit } : {}) };
}

function translateCpu({ metrics, systemCpu, onlineCpus }: ContainerStats): CpuStats {
  if (!metrics) return noCpu;
  return {
    cpu_usage: {
      total_usage: metrics.cpuTotal,
      ...(metrics.perCpu.length > 0 ? { percpu_usage: metrics.perCpu } : {}),
      usage_in_kernelmode: metrics.cpuSystem,
      usage_in_usermode: metrics.cpuUser,
    },
    system_cpu_usage: systemCpu,
    online_cpus: onlineCpus,
    throttling_data: {
      periods: metrics.throttling.periods,
      throttled_periods: metrics.throttling.throttledPeriods,
      throttled_time: metrics.throttling.throttledTime,
    },
  };
}

function translateIo(io: BlkioEntry[]): DockerStats['blkio_stats'] {
  return {
    io_service_bytes_recursive: io.length > 0 ? io : null,
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

function translateNetworks(networks: ContainerStats['networks']): Record<string, NetworkStats> {
  return Object.fromEntries(
    Object.entries(networks).map(([link, counters]) => [
      link,
      {
        rx_bytes: Number(counters.rxBytes),
        rx_packets: Number(counters.rxPackets),
        rx_errors: Number(counters.rxErrors),
        rx_dropped: Number(counters.rxDropped),
        tx_bytes: Number(counters.txBytes),
        tx_packets: Number(counters.txPackets),
        tx_errors: Number(counters.txErrors),
        tx_dropped: Number(counters.txDropped),
      },
    ]),
  );
}
