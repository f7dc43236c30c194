/** Limits, both ways between Docker's JSON and the engine's values. Pure. */
import type { Resources as DockerResources } from '@netyard/api-types';
import { type ContainerConfig, type Resources, type RestartPolicy, unlimited } from '@netyard/engine';
import type { ContainerUpdateBody } from '../schemas/container.ts';

type ResourcesBody = Omit<ContainerUpdateBody, 'RestartPolicy'>;

/** Only what the body has: for update. */
export function translateResourceChange(body: ResourcesBody): Partial<Resources> {
  const given = {
    memory: body.Memory,
    memoryReservation: body.MemoryReservation,
    memorySwap: body.MemorySwap,
    nanoCpus: body.NanoCpus,
    cpuShares: body.CpuShares,
    cpuPeriod: body.CpuPeriod,
    cpuQuota: body.CpuQuota,
    cpusetCpus: body.CpusetCpus,
    cpusetMems: body.CpusetMems,
    pidsLimit: body.PidsLimit,
    oomKillDisable: body.OomKillDisable,
    blkioWeight: body.BlkioWeight,
  };
  // The docker CLI sends 0 and '' for what was not asked for.
  const isMeant = (value: unknown): boolean => value !== undefined && value !== null && value !== 0 && value !== '';
  return Object.fromEntries(Object.entries(given).filter(([, value]) => isMeant(value)));
}

export function translateResources(body: ResourcesBody): Resources {
  return { ...unlimited, ...translateResourceChange(body) };
}

/** What Docker calls '' is `no`. Unknown names are the engine's to refuse. */
export function translateRestartPolicy(body: ContainerUpdateBody['RestartPolicy']): RestartPolicy {
  const name = body?.Name || 'no';
  return { name: name as RestartPolicy['name'], maximumRetryCount: body?.MaximumRetryCount ?? 0 };
}

export function formatResources(config: ContainerConfig): DockerResources {
  const { resources, devices, ulimits, cgroupParent } = config;
  return {
    CpuShares: resources.cpuShares,
    Memory: resources.memory,
    NanoCpus: resources.nanoCpus,
    CgroupParent: cgroupParent,
    BlkioWeight: resources.blkioWeight,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: resources.cpuPeriod,
    CpuQuota: resources.cpuQuota,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: resources.cpusetCpus,
    CpusetMems: resources.cpusetMems,
    Devices: devices.map((device) => ({
      PathOnHost: device.pathOnHost,
      PathInContainer: device.pathInContainer,
      CgroupPermissions: device.permissions,
    })),
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: resources.memoryReservation,
    MemorySwap: resources.memorySwap,
    MemorySwappiness: null,
    OomKillDisable: resources.oomKillDisable,
    PidsLimit: resources.pidsLimit > 0 ? resources.pidsLimit : null,
    Ulimits: ulimits.map((limit) => ({ Name: limit.name, Soft: limit.soft, Hard: limit.hard })),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}
