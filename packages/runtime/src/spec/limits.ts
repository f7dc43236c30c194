/** Converts limits of a task to the OCI runtime specification, also for an update of a running task. Pure. */
import type { TaskResources } from '@netyard/engine';
import type { OciDeviceNumbers, OciResources, OciThrottle } from '../oci.ts';

export interface CgroupFacts {
  version: '1' | '2';
  /** Whether the kernel counts swap: otherwise a swap limit is an error. */
  countsSwap: boolean;
}

/** By the path of the device node. */
export type BlockDevices = ReadonlyMap<string, OciDeviceNumbers>;

export function planLimits(
  requested: TaskResources,
  cgroups: CgroupFacts,
  devices: BlockDevices = new Map(),
): Omit<OciResources, 'devices'> {
  const memory = defined({
    limit: positive(requested.memory),
    reservation: positive(requested.memoryReservation),
    swap: cgroups.countsSwap ? planSwap(requested) : undefined,
    swappiness: requested.swappiness,
    disableOOMKiller: requested.oomKillDisable && cgroups.version === '1' ? true : undefined,
  });
  const cpu = defined({
    shares: positive(requested.cpuShares),
    quota: requested.cpuQuota === 0 ? undefined : requested.cpuQuota,
    period: positive(requested.cpuPeriod),
    realtimePeriod: positive(requested.cpuRealtimePeriod),
    realtimeRuntime: positive(requested.cpuRealtimeRuntime),
    cpus: requested.cpusetCpus || undefined,
    mems: requested.cpusetMems || undefined,
  });
  const blockIO = planBlockIo(requested, devices);
  return {
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(requested.pidsLimit ? { pids: { limit: requested.pidsLimit < 0 ? mostPids : requested.pidsLimit } } : {}),
    ...(Object.keys(blockIO).length > 0 ? { blockIO } : {}),
  };
}

/**
 * PID_MAX_LIMIT, the maximum: removes a limit. crun 1.8 writes the -1 of the specification to pids.max, which accepts
 * `max` or a number up to this one.
 */
export const mostPids = 4_194_304;

function planBlockIo(requested: TaskResources, devices: BlockDevices): NonNullable<OciResources['blockIO']> {
  const numbers = (path: string): OciDeviceNumbers => devices.get(path) ?? { major: 0, minor: 0 };
  const rates = (limits: TaskResources['readsPerSecond']): OciThrottle[] | undefined =>
    limits?.map(({ path, value }) => ({ ...numbers(path), rate: value }));
  return defined({
    weight: positive(requested.blkioWeight),
    weightDevice: requested.weightDevices?.map(({ path, value }) => ({ ...numbers(path), weight: value })),
    throttleReadBpsDevice: rates(requested.readBytesPerSecond),
    throttleWriteBpsDevice: rates(requested.writeBytesPerSecond),
    throttleReadIOPSDevice: rates(requested.readsPerSecond),
    throttleWriteIOPSDevice: rates(requested.writesPerSecond),
  });
}

const positive = (value: number | undefined): number | undefined =>
  value !== undefined && value > 0 ? value : undefined;

/** Memory and swap together, as in cgroup v1. Docker: twice the memory by default; -1 is unlimited. */
function planSwap(requested: TaskResources): number | undefined {
  const memory = requested.memory ?? 0;
  const swap = requested.memorySwap ?? 0;
  if (swap !== 0) return swap;
  return memory > 0 ? memory * 2 : undefined;
}

function defined<T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
