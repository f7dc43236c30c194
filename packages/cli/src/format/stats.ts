/** Computes percentages and rates of `stats` from two samples, like the docker CLI. Pure. */
import type { ContainerStats } from '@netyard/api-types';
import { binarySize, humanSize } from './human.ts';
import type { Listing, Row } from './listing.ts';

export const statsListing: Listing = {
  headers: {
    ID: 'CONTAINER ID',
    Container: 'CONTAINER',
    Name: 'NAME',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    NetIO: 'NET I/O',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
  },
  columns: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'],
  typeName: '*container.statsContext',
};

/** `stats` undefined: no sample, the container has exited. */
export function statsRow(
  ref: string,
  id: string,
  name: string,
  stats: ContainerStats | undefined,
  truncate: boolean,
): Row {
  const shown = {
    Container: ref,
    ID: truncate ? id.slice(0, 12) : id,
    Name: name.replace(/^\//, ''),
  };
  if (!stats) {
    return { ...shown, CPUPerc: '--', MemUsage: '-- / --', MemPerc: '--', NetIO: '--', BlockIO: '--', PIDs: '--' };
  }
  const memory = usedMemory(stats);
  const limit = stats.memory_stats.limit ?? 0;
  const network = Object.values(stats.networks ?? {});
  const blocks = stats.blkio_stats?.io_service_bytes_recursive ?? [];
  const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
  const blockBytes = (letter: string): number =>
    sum(blocks.filter(({ op }) => op.toLowerCase().startsWith(letter)).map(({ value }) => value));
  return {
    ...shown,
    CPUPerc: percent(cpuPercent(stats)),
    MemUsage: `${binarySize(memory)} / ${binarySize(limit)}`,
    MemPerc: percent(limit === 0 ? 0 : (memory / limit) * 100),
    NetIO: `${humanSize(sum(network.map((one) => one.rx_bytes)), 3)} / ${humanSize(sum(network.map((one) => one.tx_bytes)), 3)}`,
    BlockIO: `${humanSize(blockBytes('r'), 3)} / ${humanSize(blockBytes('w'), 3)}`,
    PIDs: String(stats.pids_stats.current ?? 0),
  };
}

const percent = (value: number): string => `${value.toFixed(2)}%`;

/** Without the page cache that the kernel can reclaim at once: total_inactive_file (cgroup v1), inactive_file (v2). */
function usedMemory({ memory_stats }: ContainerStats): number {
  const usage = memory_stats.usage ?? 0;
  const inactive = memory_stats.stats?.['total_inactive_file'] ?? memory_stats.stats?.['inactive_file'] ?? 0;
  return inactive < usage ? usage - inactive : usage;
}

/** 100% is one processor. */
function cpuPercent({ cpu_stats, precpu_stats }: ContainerStats): number {
  const used = cpu_stats.cpu_usage.total_usage - precpu_stats.cpu_usage.total_usage;
  const system = (cpu_stats.system_cpu_usage ?? 0) - (precpu_stats.system_cpu_usage ?? 0);
  const processors = cpu_stats.online_cpus || cpu_stats.cpu_usage.percpu_usage?.length || 0;
  return used > 0 && system > 0 ? (used / system) * processors * 100 : 0;
}
