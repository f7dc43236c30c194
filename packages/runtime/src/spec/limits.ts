/** Limits of a task as the OCI runtime specification has them, also for an update of a running task. Pure. */
import type { TaskResources } from '@netyard/engine';
import type { OciDeviceNumbers, OciResources, OciThrottle } from '../oci.ts';

export interface CgroupFacts {
  version: '1' | '2';
  /** Whether the kernel counts swap: without it a limit of swap is an error. */
  countsSwap: boolean;
}

/** By the path of the device node. */
export type BlockDevices = ReadonlyMap<string, OciDeviceNumbers>;

export function planLimits(
  wanted: TaskResources,
  cgroups: CgroupFacts,
  devices: BlockDevices = new Map(),
): Omit<OciResources, 'devices'> {
  const memory = defined({
    limit: positive(wanted.memory),
    reservation: positive(wanted.memoryReservation),
    swap: cgroups.countsSwap ? planSwap(wanted) : undefined,
    swappiness: wanted.swappiness,
    disableOOMKiller: wanted.oomKillDisable && cgroups.version === '1' ? true : undefined,
  });
  const cpu = defined({
    shares: positive(wanted.cpuShares),
    quota: wanted.cpuQuota === 0 ? undefined : wanted.cpuQuota,
    period: positive(wanted.cpuPeriod),
    realtimePeriod: positive(wanted.cpuRealtimePeriod),
    realtimeRuntime: positive(wanted.cpuRealtimeRuntime),
    cpus: wanted.cpusetCpus || undefined,
    mems: wanted.cpusetMems || undefined,
  });
  const blockIO = planBlockIo(wanted, devices);
  return {
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(wanted.pidsLimit ? { pids: { limit: wanted.pidsLimit < 0 ? mostPids : wanted.pidsLimit } } : {}),
    ...(Object.keys(blockIO).length > 0 ? { blockIO } : {}),
  };
}

/**
 * PID_MAX_LIMIT, as many as there can be: what takes a limit away. crun 1.8 writes the -1 of the specification to
 * pids.max, which takes `max` or a number up to this one.
 */
export const mostPids = 4_194_304;

function planBlockIo(wanted: TaskResources, devices: BlockDevices): NonNullable<OciResources['blockIO']> {
  const numbers = (path: string): OciDeviceNumbers => devices.get(path) ?? { major: 0, minor: 0 };
  const rates = (limits: TaskResources['readsPerSecond']): OciThrottle[] | undefined =>
    limits?.map(({ path, value }) => ({ ...numbers(path), rate: value }));
  return defined({
    weight: positive(wanted.blkioWeight),
    weightDevice: wanted.weightDevices?.map(({ path, value }) => ({ ...numbers(path), weight: value })),
    throttleReadBpsDevice: rates(wanted.readBytesPerSecond),
    throttleWriteBpsDevice: rates(wanted.writeBytesPerSecond),
    throttleReadIOPSDevice: rates(wanted.readsPerSecond),
    throttleWriteIOPSDevice: rates(wanted.writesPerSecond),
  });
}

const positive = (value: number | undefined): number | undefined =>
  value !== undefined && value > 0 ? value : undefined;

/** Memory and swap together, as in cgroup v1. Docker: twice the memory unless told; -1 is unlimited. */
function planSwap(wanted: TaskResources): number | undefined {
  const memory = wanted.memory ?? 0;
  const swap = wanted.memorySwap ?? 0;
  if (swap !== 0) return swap;
  return memory > 0 ? memory * 2 : undefined;
}

function defined<T extends Record<string, unknown>>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
