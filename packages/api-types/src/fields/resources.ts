/** Limits of a container: part of HostConfig, changed by `update`. In bytes, unless the name says otherwise. */
import { bytesFlag, flagOf, intFlag, listFlag, stringFlag, updating } from './flags.ts';
import { anything, type Facts, flag, list, none, object, text, whole, zero } from './shape.ts';

export const deviceMapping = object({
  PathOnHost: zero(text, { required: true }),
  PathInContainer: zero(text, { required: true }),
  CgroupPermissions: zero(text, { required: true }),
});

export const ulimit = object({
  Name: zero(text, { required: true }),
  Soft: zero(whole, { required: true }),
  Hard: zero(whole, { required: true }),
});

export const weightDevice = object({
  Path: zero(text, { required: true }),
  Weight: zero(whole, { required: true }),
});

export const throttleDevice = object({
  Path: zero(text, { required: true }),
  Rate: zero(whole, { required: true }),
});

const discarded = (name: string) =>
  ({
    status: { warning: `linux does not support CPU ${name}. ${name[0]?.toUpperCase()}${name.slice(1)} discarded.` },
  }) as const;
const qualityOfService = (what: string) =>
  ({
    status: {
      rejected: `invalid option: QoS maximum ${what} configuration is not supported on linux`,
      code: 'invalid',
    },
  }) as const;
const throttled = <const F extends Facts>(facts: F) =>
  zero(list(throttleDevice), { emptyAsValue: true, ...facts } as const);

/** Limits that `update` can change. `none`: a missing field leaves the limit unchanged. */
export const updatableResources = {
  CpuShares: none(whole, {
    flags: [intFlag('cpu-shares', 'CPU shares (relative weight)', { short: 'c', on: updating })],
  }),
  Memory: none(whole, { flags: [bytesFlag('memory', 'Memory limit', { short: 'm', on: updating })] }),
  NanoCpus: none(whole, { flags: [flagOf('decimal', 'cpus', 'Number of CPUs', { on: updating })] }),
  BlkioWeight: none(whole, {
    flags: [
      flagOf('uint16', 'blkio-weight', 'Block IO (relative weight), between 10 and 1000, or 0 to disable', {
        default: '0',
        on: updating,
      }),
    ],
    remark: 'discarded with a warning where the kernel has no weights',
  }),
  CpuPeriod: none(whole, {
    flags: [intFlag('cpu-period', 'Limit CPU CFS (Completely Fair Scheduler) period', { on: updating })],
  }),
  CpuQuota: none(whole, {
    flags: [intFlag('cpu-quota', 'Limit CPU CFS (Completely Fair Scheduler) quota', { on: updating })],
  }),
  CpuRealtimePeriod: none(whole, {
    flags: [intFlag('cpu-rt-period', 'Limit CPU real-time period in microseconds', { on: updating })],
    remark: 'cgroup version 1 with real-time group scheduling',
  }),
  CpuRealtimeRuntime: none(whole, {
    flags: [intFlag('cpu-rt-runtime', 'Limit CPU real-time runtime in microseconds', { on: updating })],
    remark: 'cgroup version 1 with real-time group scheduling',
  }),
  CpusetCpus: none(text, {
    flags: [stringFlag('cpuset-cpus', 'CPUs in which to allow execution (0-3, 0,1)', { on: updating })],
  }),
  CpusetMems: none(text, {
    flags: [stringFlag('cpuset-mems', 'MEMs in which to allow execution (0-3, 0,1)', { on: updating })],
  }),
  MemoryReservation: none(whole, {
    flags: [bytesFlag('memory-reservation', 'Memory soft limit', { on: updating })],
  }),
  MemorySwap: none(whole, {
    flags: [
      bytesFlag('memory-swap', "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", { on: updating }),
    ],
  }),
  OomKillDisable: none(flag, { flags: [flagOf('bool', 'oom-kill-disable', 'Disable OOM Killer')] }),
  PidsLimit: none(whole, {
    flags: [intFlag('pids-limit', 'Tune container pids limit (set -1 for unlimited)', { on: updating })],
  }),
} as const;

export const resources = {
  ...updatableResources,
  CgroupParent: zero(text, { flags: [stringFlag('cgroup-parent', 'Optional parent cgroup for the container')] }),
  BlkioWeightDevice: zero(list(weightDevice), {
    emptyAsValue: true,
    flags: [listFlag('blkio-weight-device', 'Block IO weight (relative device weight)')],
    remark: 'discarded with a warning where the kernel has no weights',
  }),
  BlkioDeviceReadBps: throttled({
    flags: [listFlag('device-read-bps', 'Limit read rate (bytes per second) from a device')],
  }),
  BlkioDeviceWriteBps: throttled({
    flags: [listFlag('device-write-bps', 'Limit write rate (bytes per second) to a device')],
  }),
  BlkioDeviceReadIOps: throttled({
    flags: [listFlag('device-read-iops', 'Limit read rate (IO per second) from a device')],
  }),
  BlkioDeviceWriteIOps: throttled({
    flags: [listFlag('device-write-iops', 'Limit write rate (IO per second) to a device')],
  }),
  Devices: zero(list(deviceMapping), {
    emptyAsValue: true,
    flags: [listFlag('device', 'Add a host device to the container')],
  }),
  DeviceCgroupRules: zero(list(text), {
    flags: [listFlag('device-cgroup-rule', 'Add a rule to the cgroup allowed devices list')],
  }),
  DeviceRequests: zero(list(anything), {
    since: 40,
    flags: [
      flagOf('gpu-request', 'gpus', "GPU devices to add to the container ('all' to pass all GPUs)", {
        dockerOnly: true,
      }),
    ],
    status: {
      rejected: 'could not select device driver "" with capabilities: [[gpu]]',
      code: 'not-implemented',
      hint: 'Netyard has no device drivers: give the device nodes one by one with --device',
    },
  }),
  KernelMemory: zero(whole, {
    omitEmpty: true,
    flags: [bytesFlag('kernel-memory', 'Kernel memory limit', { hidden: true })],
    status: { warning: 'Kernel memory limits are no longer supported by Linux. Limitation discarded.' },
  }),
  MemorySwappiness: none(whole, {
    flags: [intFlag('memory-swappiness', 'Tune container memory swappiness (0 to 100)', { default: '-1' })],
    remark: 'cgroup version 1; discarded with a warning elsewhere',
  }),
  Ulimits: zero(list(ulimit), { emptyAsValue: true, flags: [flagOf('ulimit', 'ulimit', 'Ulimit options')] }),
  CpuCount: zero(whole, {
    ...discarded('count'),
    flags: [intFlag('cpu-count', 'CPU count (Windows only)', { dockerOnly: true })],
  }),
  CpuPercent: zero(whole, {
    ...discarded('percent'),
    flags: [intFlag('cpu-percent', 'CPU percent (Windows only)', { dockerOnly: true })],
  }),
  IOMaximumIOps: zero(whole, {
    ...qualityOfService('IOPs'),
    flags: [
      flagOf('uint', 'io-maxiops', 'Maximum IOps limit for the system drive (Windows only)', { dockerOnly: true }),
    ],
  }),
  IOMaximumBandwidth: zero(whole, {
    ...qualityOfService('bandwidth'),
    flags: [
      bytesFlag('io-maxbandwidth', 'Maximum IO bandwidth limit for the system drive (Windows only)', {
        dockerOnly: true,
      }),
    ],
  }),
} as const;

export const restartPolicy = object({
  /** '' | no | always | unless-stopped | on-failure */
  Name: zero(text, { required: true }),
  MaximumRetryCount: zero(whole, { required: true }),
});

const restart = stringFlag('restart', 'Restart policy to apply when a container exits', {
  default: 'no',
  complete: ['no', 'on-failure', 'always', 'unless-stopped'],
  on: updating,
});

export const restartField = { RestartPolicy: none(restartPolicy, { flags: [restart] }) } as const;

/** The body of POST /containers/{id}/update. */
export const containerUpdate = { ...updatableResources, ...restartField } as const;
