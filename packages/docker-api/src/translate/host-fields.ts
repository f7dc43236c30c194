/** Translates HostConfig between Docker's fields and the engine's. Pure. */
import { type FieldTable, type HostConfig, hostConfig, type Output } from '@netyard/api-types';
import { defaultMaskedPaths, defaultReadonlyPaths } from '@netyard/core';
import type { ContainerConfig, ContainerDetails } from '@netyard/engine';
import { parseNetworkMode } from '@netyard/sandbox';
import type { ApiVersion } from '../versions.ts';
import { type Codec, type Codecs, readFields, showerOf } from './field-codec.ts';
import { linkCodecs } from './links.ts';
import { formatMountRequests, formatTmpfs, translateMounts } from './mounts.ts';
import { formatPortRequests, translatePortBindings } from './ports.ts';
import { limitFields, readLimits, restartCodecs, showLimits } from './resource-fields.ts';

type HostCodec<Value> = Codec<Value, ContainerConfig, ContainerDetails>;

/** A value that the engine stores unchanged. */
const same = <K extends keyof ContainerConfig>(key: K): HostCodec<ContainerConfig[K]> => ({
  read: (value) => ({ [key]: value }) as Partial<ContainerConfig>,
  show: ({ record }) => record.config[key],
});
/** The same for values that are stored only if not empty. */
const optional = <K extends 'isolation' | 'volumeDriver' | 'idFile'>(key: K): HostCodec<string> => ({
  read: (value) => (value === '' ? {} : { [key]: value }),
  show: ({ record }) => record.config[key] ?? '',
});
/** A field that the field table marks as rejected, warning or ignored. */
const unused = <Value>(zero: Value): HostCodec<Value> => ({ read: () => ({}), show: () => zero });

const hidden = (
  key: 'maskedPaths' | 'readonlyPaths',
  defaults: readonly string[],
): HostCodec<string[] | null | undefined> => ({
  read: (paths) => (paths ? { [key]: paths } : {}),
  show: ({ record: { config } }) => (config.privileged ? null : (config[key] ?? [...defaults])),
});

const devices: HostCodec<Output<typeof hostConfig>['Devices']> = {
  read: (given) => ({
    devices: given.map(({ PathOnHost, PathInContainer, CgroupPermissions }) => ({
      pathOnHost: PathOnHost,
      pathInContainer: PathInContainer || PathOnHost,
      permissions: CgroupPermissions || 'rwm',
    })),
  }),
  show: ({ record }) =>
    record.config.devices.map(({ pathOnHost, pathInContainer, permissions }) => ({
      PathOnHost: pathOnHost,
      PathInContainer: pathInContainer,
      CgroupPermissions: permissions,
    })),
};

const ulimits: HostCodec<Output<typeof hostConfig>['Ulimits']> = {
  read: (given) => ({ ulimits: given.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })) }),
  show: ({ record }) => record.config.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
};

/** All but the limits, and three values that each combine several fields. */
const { Mounts, Tmpfs, Init, ...others } = hostConfig;
const fields = without(others, limitFields);

type Without<T, U> = { [K in Exclude<keyof T, keyof U>]: T[K] };
function without<T extends FieldTable, U extends FieldTable>(all: T, some: U): Without<T, U> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => !(name in some))) as Without<T, U>;
}

const hostCodecs: Codecs<typeof fields, ContainerConfig, ContainerDetails> = {
  Annotations: same('annotations'),
  AutoRemove: same('autoRemove'),
  Binds: same('binds'),
  CapAdd: same('capAdd'),
  CapDrop: same('capDrop'),
  Capabilities: unused([]),
  Cgroup: unused(''),
  CgroupnsMode: same('cgroupnsMode'),
  CgroupParent: same('cgroupParent'),
  ConsoleSize: {
    read: (size) => (size && size[0] > 0 && size[1] > 0 ? { consoleSize: size } : {}),
    show: ({ record }) => record.config.consoleSize ?? [0, 0],
  },
  ContainerIDFile: optional('idFile'),
  CpuCount: unused(0),
  CpuPercent: unused(0),
  DeviceCgroupRules: {
    read: (rules) => (rules.length === 0 ? {} : { deviceRules: rules }),
    show: ({ record }) => record.config.deviceRules ?? [],
  },
  DeviceRequests: unused([]),
  Devices: devices,
  Dns: same('dns'),
  DnsOptions: same('dnsOptions'),
  DnsSearch: same('dnsSearch'),
  ExtraHosts: same('extraHosts'),
  GroupAdd: same('groupAdd'),
  IOMaximumBandwidth: unused(0),
  IOMaximumIOps: unused(0),
  IpcMode: same('ipcMode'),
  Isolation: optional('isolation'),
  KernelMemory: unused(0),
  ...linkCodecs,
  LogConfig: {
    read: (log) => ({ logDriver: log?.Type ?? '', logOptions: log?.Config ?? {} }),
    show: ({ record: { config } }) => ({ Type: config.logDriver, Config: config.logOptions }),
  },
  MaskedPaths: hidden('maskedPaths', defaultMaskedPaths),
  NetworkMode: {
    read: (mode) => ({
      networkMode: parseNetworkMode(mode),
      networkModeText: ['', 'default'].includes(mode) ? 'bridge' : mode,
    }),
    show: ({ record }) => record.config.networkModeText,
  },
  OomScoreAdj: same('oomScoreAdj'),
  PidMode: same('pidMode'),
  PortBindings: {
    read: (bindings) => ({ ports: translatePortBindings(bindings) }),
    show: ({ ports }) => formatPortRequests(ports),
  },
  Privileged: same('privileged'),
  PublishAllPorts: same('publishAll'),
  ReadonlyPaths: hidden('readonlyPaths', defaultReadonlyPaths),
  ReadonlyRootfs: same('readOnlyRootfs'),
  ...restartCodecs(({ record }: ContainerDetails) => record.config),
  Runtime: same('runtime'),
  SecurityOpt: same('securityOptions'),
  ShmSize: same('shmSize'),
  StorageOpt: unused({}),
  Sysctls: same('sysctls'),
  Ulimits: ulimits,
  UsernsMode: same('usernsMode'),
  UTSMode: same('utsMode'),
  VolumeDriver: optional('volumeDriver'),
  VolumesFrom: same('volumesFrom'),
};

type HostBody = Output<typeof hostConfig>;

/** @param defaults the daemon's defaults for containers that do not set the value */
export const readHost = (
  host: HostBody,
  version: ApiVersion,
  defaults: { init: boolean },
): Partial<ContainerConfig> => ({
  ...readFields(hostCodecs, host),
  resources: readLimits(host),
  mounts: translateMounts(host, version),
  init: host.Init ?? defaults.init,
  ...(host.Init === false ? { noInit: true } : {}),
});

const showOthers = showerOf(fields, hostCodecs);

export function showHost(details: ContainerDetails): HostConfig {
  const { config } = details.record;
  const mounts = formatMountRequests(config);
  const tmpfs = formatTmpfs(config);
  return {
    ...asGiven({ ...showLimits(config.resources), ...showOthers(details) }, config.unusualLists ?? []),
    ...(mounts.length > 0 ? { Mounts: mounts } : {}),
    ...(Object.keys(tmpfs).length > 0 ? { Tmpfs: tmpfs } : {}),
    ...(config.init || config.noInit ? { Init: config.init } : {}),
  };
}

/** Shows empty lists as the request had them: absent ones are null. */
function asGiven<T extends object>(shown: T, unusual: readonly string[]): T {
  const table: FieldTable = hostConfig;
  const swap = (name: string): unknown => {
    const value: unknown = shown[name as keyof T];
    if (value === null) return table[name]?.shape.kind === 'map' ? {} : [];
    return typeof value === 'object' && Object.keys(value as object).length === 0 ? null : value;
  };
  return { ...shown, ...Object.fromEntries(unusual.map((name) => [name, swap(name)])) };
}
