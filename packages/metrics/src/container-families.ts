/** Metrics of containers with cAdvisor's names. Pure. */
import type { TaskMetrics } from '@netyard/engine';
import type { LinkStatistics } from '@netyard/kernel';
import { type Family, family, type Labels } from './exposition.ts';

/** What is read of a cgroup: bytes, nanoseconds. */
export type TaskUsage = Pick<TaskMetrics, 'memoryUsage' | 'memoryStats' | 'cpuTotal'>;

/** A container with a process, as it was read. */
export interface ContainerReading {
  /** Path of its cgroup below the mount point. */
  cgroup: string;
  name: string;
  image: string;
  /** Nanoseconds since 1970. */
  startedAt: bigint | undefined;
  /** Absent if its cgroup could not be read in time. */
  usage?: TaskUsage;
  /** Counters as the container sees them, by name of the interface inside. */
  interfaces: ReadonlyMap<string, LinkStatistics>;
}

/** What one end of a veth pair sends, the other one receives. */
export const mirrored = (host: LinkStatistics): LinkStatistics => ({
  rxBytes: host.txBytes,
  rxPackets: host.txPackets,
  rxErrors: host.txErrors,
  rxDropped: host.txDropped,
  txBytes: host.rxBytes,
  txPackets: host.rxPackets,
  txErrors: host.rxErrors,
  txDropped: host.rxDropped,
});

const networkCounters = [
  ['receive_bytes', 'Bytes received', 'rxBytes'],
  ['receive_errors', 'Errors while receiving', 'rxErrors'],
  ['receive_packets_dropped', 'Packets dropped while receiving', 'rxDropped'],
  ['receive_packets', 'Packets received', 'rxPackets'],
  ['transmit_bytes', 'Bytes sent', 'txBytes'],
  ['transmit_errors', 'Errors while sending', 'txErrors'],
  ['transmit_packets_dropped', 'Packets dropped while sending', 'txDropped'],
  ['transmit_packets', 'Packets sent', 'txPackets'],
] as const;

const nanoseconds = 1e9;

const labelsOf = ({ cgroup, image, name }: ContainerReading): Labels => ({ id: cgroup, image, name });

/** @param now nanoseconds since 1970: when the containers were read */
export function containerFamilies(containers: readonly ContainerReading[], now: bigint): Family[] {
  const used = containers.flatMap((container) => (container.usage ? [{ container, usage: container.usage }] : []));
  const interfaces = containers.flatMap((container) =>
    [...container.interfaces].map(([name, counters]) => ({
      labels: { ...labelsOf(container), interface: name },
      counters,
    })),
  );
  return [
    family('counter', 'container_cpu_usage_seconds_total', 'CPU time used.', used, ({ container, usage }) => [
      { ...labelsOf(container), cpu: 'total' },
      usage.cpuTotal / nanoseconds,
    ]),
    family('gauge', 'container_memory_usage_bytes', 'Memory used, with caches.', used, ({ container, usage }) => [
      labelsOf(container),
      usage.memoryUsage,
    ]),
    family(
      'gauge',
      'container_memory_working_set_bytes',
      'Memory used, without inactive caches of files.',
      used,
      ({ container, usage }) => [labelsOf(container), workingSet(usage)],
    ),
    family('gauge', 'container_start_time_seconds', 'Start of the container.', containers, (container) =>
      container.startedAt === undefined ? undefined : [labelsOf(container), Number(container.startedAt) / nanoseconds],
    ),
    family('gauge', 'container_last_seen', 'When the container was read.', containers, (container) => [
      labelsOf(container),
      Math.floor(Number(now) / nanoseconds),
    ]),
    ...networkCounters.map(([name, help, key]) =>
      family('counter', `container_network_${name}_total`, `${help}.`, interfaces, ({ labels, counters }) => [
        labels,
        counters[key],
      ]),
    ),
  ];
}

/** cgroup v1 counts the groups below in `total_inactive_file`, v2 in `inactive_file`. */
function workingSet({ memoryUsage, memoryStats }: TaskUsage): number {
  const inactive = memoryStats['total_inactive_file'] ?? memoryStats['inactive_file'] ?? 0;
  return Math.max(0, memoryUsage - inactive);
}
