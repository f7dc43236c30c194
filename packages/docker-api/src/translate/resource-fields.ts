/** Translates limits and restart policy between Docker's fields and the engine's. Pure. */
import { containerUpdate, type Output, resources } from '@netyard/api-types';
import { type DeviceLimit, type Resources, type RestartRule, unlimited } from '@netyard/engine';
import { isZero } from '../schemas/is-zero.ts';
import { type Codec, type Codecs, readFields, showerOf } from './field-codec.ts';

const { RestartPolicy: restartField, ...updatable } = containerUpdate;

/** 0 and '', which the docker CLI sends for unset limits, are omitted. */
const limit = <K extends 'cpusetCpus' | 'cpusetMems' | 'oomKillDisable' | NumberLimit>(
  key: K,
): Codec<Resources[K] | null | undefined, Resources, Resources> => ({
  read: (value) => (isZero(value) ? {} : ({ [key]: value } as Partial<Resources>)),
  show: (limits) => limits[key] ?? unlimited[key],
});
type NumberLimit = {
  [K in keyof Resources]-?: NonNullable<Resources[K]> extends number ? K : never;
}[keyof Resources];

const realtime = (
  key: 'cpuRealtimePeriod' | 'cpuRealtimeRuntime',
): Codec<number | null | undefined, Resources, Resources> => ({
  read: limit(key).read,
  show: (limits) => limits[key] ?? 0,
});

/** Limits that an update can change; a set value replaces the old one. */
const updatableCodecs: Codecs<typeof updatable, Resources, Resources> = {
  CpuShares: limit('cpuShares'),
  Memory: limit('memory'),
  NanoCpus: limit('nanoCpus'),
  BlkioWeight: limit('blkioWeight'),
  CpuPeriod: limit('cpuPeriod'),
  CpuQuota: limit('cpuQuota'),
  CpuRealtimePeriod: realtime('cpuRealtimePeriod'),
  CpuRealtimeRuntime: realtime('cpuRealtimeRuntime'),
  CpusetCpus: limit('cpusetCpus'),
  CpusetMems: limit('cpusetMems'),
  MemoryReservation: limit('memoryReservation'),
  MemorySwap: limit('memorySwap'),
  OomKillDisable: limit('oomKillDisable'),
  PidsLimit: { read: limit('pidsLimit').read, show: ({ pidsLimit }) => (pidsLimit > 0 ? pidsLimit : null) },
};

type DeviceKey = {
  [K in keyof Resources]-?: NonNullable<Resources[K]> extends DeviceLimit[] ? K : never;
}[keyof Resources];

const throttles = (key: DeviceKey): Codec<{ Path: string; Rate: number }[], Resources, Resources> => ({
  read: (devices) =>
    devices.length === 0 ? {} : { [key]: devices.map(({ Path, Rate }) => ({ path: Path, value: Rate })) },
  show: (limits) => (limits[key] ?? []).map(({ path, value }) => ({ Path: path, Rate: value })),
});

const { CgroupParent, Devices, DeviceCgroupRules, DeviceRequests, KernelMemory, Ulimits, ...more } = resources;
const { CpuCount, CpuPercent, IOMaximumIOps, IOMaximumBandwidth, ...limits } = more;
/** Fields of HostConfig that form the engine's `resources`. */
export const limitFields = limits;

const limitCodecs: Codecs<typeof limitFields, Resources, Resources> = {
  ...updatableCodecs,
  BlkioWeightDevice: {
    read: (devices) =>
      devices.length === 0 ? {} : { weightDevices: devices.map(({ Path, Weight }) => ({ path: Path, value: Weight })) },
    show: ({ weightDevices = [] }) => weightDevices.map(({ path, value }) => ({ Path: path, Weight: value })),
  },
  BlkioDeviceReadBps: throttles('readBytesPerSecond'),
  BlkioDeviceWriteBps: throttles('writeBytesPerSecond'),
  BlkioDeviceReadIOps: throttles('readsPerSecond'),
  BlkioDeviceWriteIOps: throttles('writesPerSecond'),
  /** The docker CLI sends -1 when it is not set. */
  MemorySwappiness: {
    read: (value) => (value === null || value === undefined || value === -1 ? {} : { swappiness: value }),
    show: ({ swappiness }) => swappiness,
  },
};

type LimitsBody = Output<typeof limitFields>;

export const readLimits = (body: LimitsBody): Resources => ({ ...unlimited, ...readFields(limitCodecs, body) });
export const showLimits = showerOf(limitFields, limitCodecs);

interface Restarting {
  restartPolicy: RestartRule;
}

/** '' means `no`. The engine rejects unknown names. */
export const restartCodecs = <Source>(
  configOf: (source: Source) => Restarting,
): Codecs<Pick<typeof containerUpdate, 'RestartPolicy'>, Restarting, Source> => ({
  RestartPolicy: {
    read: (body) => ({
      restartPolicy: {
        name: (body?.Name || 'no') as RestartRule['name'],
        maximumRetryCount: body?.MaximumRetryCount ?? 0,
      },
    }),
    show: (source) => {
      const { name, maximumRetryCount } = configOf(source).restartPolicy;
      return { Name: name, MaximumRetryCount: maximumRetryCount };
    },
  },
});

/** The change requested by the body of an update. */
export function readUpdate(body: Output<typeof containerUpdate>): {
  resources: Partial<Resources>;
  restartPolicy?: RestartRule;
} {
  return {
    resources: readFields(updatableCodecs, body),
    ...(body.RestartPolicy?.Name
      ? readFields(
          restartCodecs(({ restartPolicy }: Restarting) => ({ restartPolicy })),
          body,
        )
      : {}),
  };
}
