/** Shapes of the bodies for containers. What a field means is the translators' matter. */
import { z } from 'zod';
import { endpointSchema } from '../translate/network.ts';
import { consoleSize, flag, keySet, strings, text, textMap, whole, wordsOrText } from './parts.ts';

const restartPolicy = z.object({ Name: text, MaximumRetryCount: whole }).nullish();

/** nullish: `update` changes only what is there. */
const number = z.int().nullish();
const word = z.string().nullish();

const resources = {
  Memory: number,
  MemoryReservation: number,
  MemorySwap: number,
  NanoCpus: number,
  CpuShares: number,
  CpuPeriod: number,
  CpuQuota: number,
  CpusetCpus: word,
  CpusetMems: word,
  PidsLimit: number,
  OomKillDisable: z.boolean().nullish(),
  BlkioWeight: number,
};

const portBinding = z.object({ HostIp: text, HostPort: text });

const mount = z.object({
  Type: z.string(),
  Source: text,
  Target: text,
  ReadOnly: flag,
  BindOptions: z.object({ Propagation: text, CreateMountpoint: flag }).nullish(),
  VolumeOptions: z
    .object({
      NoCopy: flag,
      Labels: textMap,
      DriverConfig: z.object({ Name: text, Options: textMap }).nullish(),
      Subpath: text,
    })
    .nullish(),
  TmpfsOptions: z.object({ SizeBytes: whole, Mode: whole, Options: z.array(z.array(z.string())).nullish() }).nullish(),
});

export type MountBody = z.output<typeof mount>;

const device = z.object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text });
const ulimit = z.object({ Name: text, Soft: whole, Hard: whole });
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);

const hostConfig = z.object({
  ...resources,
  CgroupParent: text,
  Devices: list(device),
  DeviceRequests: list(z.unknown()),
  Ulimits: list(ulimit),
  Binds: strings,
  LogConfig: z.object({ Type: text, Config: textMap }).nullish(),
  NetworkMode: text,
  PortBindings: z.record(z.string(), list(portBinding)).nullish(),
  RestartPolicy: restartPolicy,
  AutoRemove: flag,
  VolumesFrom: strings,
  ConsoleSize: consoleSize,
  Annotations: textMap,
  CapAdd: strings,
  CapDrop: strings,
  CgroupnsMode: text,
  Dns: strings,
  DnsOptions: strings,
  DnsSearch: strings,
  ExtraHosts: strings,
  GroupAdd: strings,
  IpcMode: text,
  Links: strings,
  OomScoreAdj: whole,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: strings,
  StorageOpt: textMap,
  Tmpfs: textMap,
  UTSMode: text,
  UsernsMode: text,
  ShmSize: whole,
  Sysctls: textMap,
  Runtime: text,
  Isolation: text,
  VolumeDriver: text,
  Mounts: list(mount),
  MaskedPaths: z.array(z.string()).nullish(),
  ReadonlyPaths: z.array(z.string()).nullish(),
  /** null: as the daemon has it. */
  Init: z.boolean().nullish(),
});

export type HostConfigBody = z.output<typeof hostConfig>;

const healthcheck = z
  .object({ Test: strings, Interval: whole, Timeout: whole, StartPeriod: whole, Retries: whole })
  .nullish();

export type HealthcheckBody = NonNullable<z.output<typeof healthcheck>>;

const createBody = z.object({
  /** True when the body has no field of the container's own configuration. */
  hasNoConfig: flag,
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: keySet,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: strings,
  Cmd: wordsOrText,
  Healthcheck: healthcheck,
  Image: text,
  Volumes: keySet,
  WorkingDir: text,
  Entrypoint: wordsOrText,
  NetworkDisabled: flag,
  MacAddress: text,
  Labels: textMap,
  StopSignal: text,
  StopTimeout: number,
  HostConfig: hostConfig.nullish().transform((value) => value ?? hostConfig.parse({})),
  NetworkingConfig: z.object({ EndpointsConfig: z.record(z.string(), endpointSchema).nullish() }).nullish(),
});

/** Fields beside the configuration, which is the rest of the body. */
const besideConfig = ['HostConfig', 'NetworkingConfig'];

export const containerCreateSchema = z.preprocess((body) => {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return { ...body, hasNoConfig: Object.keys(body).every((key) => besideConfig.includes(key)) };
}, createBody);

export type ContainerCreateBody = z.output<typeof containerCreateSchema>;

export const containerUpdateSchema = z.object({ ...resources, RestartPolicy: restartPolicy });

export type ContainerUpdateBody = z.output<typeof containerUpdateSchema>;

export const execCreateSchema = z.object({
  User: text,
  Privileged: flag,
  Tty: flag,
  ConsoleSize: consoleSize,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  DetachKeys: text,
  Env: strings,
  WorkingDir: text,
  Cmd: wordsOrText,
});

export type ExecCreateBody = z.output<typeof execCreateSchema>;

export const execStartSchema = z.object({ Detach: flag, Tty: flag, ConsoleSize: consoleSize });
