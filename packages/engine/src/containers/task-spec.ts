/** The task that the runtime is to create for a container. Pure: everything looked up is passed in. */
import { basename } from 'node:path';
import { NetyardError } from '@netyard/core';
import type { SandboxState } from '@netyard/sandbox';
import type { ContainerRecord, ResolvedMount, Resources } from '../model.ts';
import type { TaskMount, TaskResources, TaskSpec, TaskStdio } from '../ports.ts';
import { processEnv } from '../processes/env.ts';
import type { EngineSettings } from '../settings.ts';
import { cleanPath } from './mounts.ts';
import { parseSecurityOptions } from './security-options.ts';
import { splitSysctls } from './sysctls.ts';

export interface TaskFacts {
  rootPath: string;
  network: SandboxState;
  stdio: TaskStdio;
  hostname: string;
  domainname: string;
  linkEnvironment: readonly string[];
  pidNamespace: TaskSpec['pidNamespace'];
  ipcNamespace: TaskSpec['ipcNamespace'];
  /** What is mounted below the source of a read-only mount is to be read-only as well. */
  isRecursive(mount: ResolvedMount): boolean;
  settings: Pick<EngineSettings, 'cgroupParent' | 'cgroupVersion'>;
}

export function planTask(record: ContainerRecord, facts: TaskFacts): TaskSpec {
  const { config } = record;
  const { network, settings } = facts;
  const privateCgroups = config.cgroupnsMode === 'private';
  return {
    id: record.id,
    rootPath: facts.rootPath,
    readOnlyRoot: config.readOnlyRootfs,
    args: record.process.args,
    env: processEnv(record, { hostname: facts.hostname, tty: config.tty, links: facts.linkEnvironment }),
    workingDirectory: record.process.workingDirectory || '/',
    user: record.process.user,
    groupAdd: config.groupAdd,
    tty: config.tty,
    ...(config.tty && config.consoleSize ? { consoleSize: config.consoleSize } : {}),
    hostname: facts.hostname,
    domainname: facts.domainname,
    mounts: taskMounts(record, facts),
    shmSize: config.shmSize,
    netnsPath: network.netnsPath,
    pidNamespace: facts.pidNamespace,
    ipcNamespace: facts.ipcNamespace,
    utsNamespace: config.utsMode === 'host' ? 'host' : 'private',
    cgroupNamespace: privateCgroups ? 'private' : 'host',
    init: config.init,
    privileged: config.privileged,
    capAdd: config.capAdd,
    capDrop: config.capDrop,
    ...parseSecurityOptions(config.securityOptions),
    devices: config.devices,
    ...(config.deviceRules ? { deviceRules: config.deviceRules } : {}),
    sysctls: taskSysctls(record, network),
    ulimits: config.ulimits,
    oomScoreAdj: config.oomScoreAdj,
    resources: taskResources(config.resources),
    cgroupPath: `${config.cgroupParent || settings.cgroupParent}/${record.id}`,
    ...(config.maskedPaths ? { maskedPaths: config.maskedPaths } : {}),
    ...(config.readonlyPaths ? { readonlyPaths: config.readonlyPaths } : {}),
    annotations: config.annotations,
    labels: {},
    runtimeName: config.runtime,
    stdio: facts.stdio,
  };
}

/**
 * `network` sets the sysctls of a network namespace that it creates; in another container's namespace the runtime sets
 * them. Throws `invalid` if that container uses the host's network, which is known only now.
 */
function taskSysctls({ config }: ContainerRecord, network: SandboxState): Record<string, string> {
  const { net, other } = splitSysctls(config.sysctls);
  if (config.networkDisabled || config.networkMode.kind !== 'container') return other;
  const [first] = Object.keys(net);
  if (first !== undefined && network.netnsPath === undefined)
    throw new NetyardError('invalid', `sysctl "${first}" not allowed in host network namespace`);
  return { ...net, ...other };
}

/**
 * `bind-recursive=writable` is among the options of the mount; in records of versions without recursive read-only mounts
 * it is in the request only.
 */
const isWritableBelow = ({ config }: ContainerRecord, { type, target }: ResolvedMount): boolean =>
  type === 'bind' &&
  config.mounts.some((request) => request.readOnlyNonRecursive === true && cleanPath(request.target) === target);

/** Sorts parents before the mounts inside them. */
function taskMounts(record: ContainerRecord, { network, isRecursive }: TaskFacts): TaskMount[] {
  const own = record.mounts.map((mount) => taskMount(mount, isRecursive(mount) && !isWritableBelow(record, mount)));
  const taken = new Set(own.map(({ target }) => target));
  const options = ['rbind', record.config.readOnlyRootfs ? 'ro' : 'rw', 'rprivate'];
  const files = Object.values(network.files)
    .map((source) => ({ source, target: networkFileTarget(source) }))
    .filter(({ target }) => !taken.has(target))
    .map(({ source, target }): TaskMount => ({ type: 'bind', source, target, options }));
  const ipc = sharedMemory(record, taken);
  const depth = ({ target }: TaskMount): number => target.split('/').length;
  return [...own, ...files, ...ipc].sort((a, b) => depth(a) - depth(b));
}

/** The file names are the targets in /etc: hosts, hostname, resolv.conf. */
const networkFileTarget = (source: string): string => `/etc/${basename(source)}`;

function taskMount(mount: ResolvedMount, isRecursive: boolean): TaskMount {
  const { source, target } = mount;
  if (mount.type === 'tmpfs') return { type: 'tmpfs', source: 'tmpfs', target, options: mount.options };
  // A runtime ignores options that it does not know: with `rro` alone, one without it would leave the mount writable.
  const access = mount.readOnly ? (isRecursive ? ['ro', 'rro'] : ['ro']) : ['rw'];
  const propagation = mount.propagation || 'rprivate';
  if (!mount.options.includes('bind'))
    return { type: 'bind', source, target, options: ['rbind', ...access, propagation] };
  // crun takes the MS_REC of `rprivate` for one of the bind. Without mounts below, `private` is the same.
  return { type: 'bind', source, target, options: ['bind', ...access, propagation.replace(/^r/, '')] };
}

function sharedMemory(record: ContainerRecord, taken: ReadonlySet<string>): TaskMount[] {
  if (record.config.ipcMode !== 'host' || taken.has('/dev/shm')) return [];
  return [{ type: 'bind', source: '/dev/shm', target: '/dev/shm', options: ['rbind', 'rw', 'rprivate'] }];
}

type DeviceLimits = Pick<
  TaskResources,
  'weightDevices' | 'readBytesPerSecond' | 'writeBytesPerSecond' | 'readsPerSecond' | 'writesPerSecond'
>;

function deviceLimits(resources: Resources): DeviceLimits {
  const { weightDevices, readBytesPerSecond, writeBytesPerSecond, readsPerSecond, writesPerSecond } = resources;
  const all = { weightDevices, readBytesPerSecond, writeBytesPerSecond, readsPerSecond, writesPerSecond };
  return Object.fromEntries(Object.entries(all).filter(([, limits]) => limits?.length));
}

/** Only resources with a limit. Also used by `docker update`. */
export function taskResources(resources: Resources): TaskResources {
  const { memory, memoryReservation, memorySwap, nanoCpus, pidsLimit } = resources;
  const period = nanoCpus > 0 ? 100_000 : resources.cpuPeriod;
  const quota = nanoCpus > 0 ? Math.floor((nanoCpus * 100_000) / 1e9) : resources.cpuQuota;
  return {
    ...(memory > 0 ? { memory } : {}),
    ...(memoryReservation > 0 ? { memoryReservation } : {}),
    ...(memory > 0 && memorySwap !== 0 ? { memorySwap } : {}),
    ...(resources.cpuShares > 0 ? { cpuShares: resources.cpuShares } : {}),
    ...(period > 0 ? { cpuPeriod: period } : {}),
    ...(quota !== 0 ? { cpuQuota: quota } : {}),
    ...(resources.cpusetCpus ? { cpusetCpus: resources.cpusetCpus } : {}),
    ...(resources.cpusetMems ? { cpusetMems: resources.cpusetMems } : {}),
    ...(pidsLimit > 0 ? { pidsLimit } : {}),
    ...(resources.blkioWeight > 0 ? { blkioWeight: resources.blkioWeight } : {}),
    ...(resources.oomKillDisable ? { oomKillDisable: true } : {}),
    ...(resources.cpuRealtimePeriod ? { cpuRealtimePeriod: resources.cpuRealtimePeriod } : {}),
    ...(resources.cpuRealtimeRuntime ? { cpuRealtimeRuntime: resources.cpuRealtimeRuntime } : {}),
    ...(resources.swappiness === undefined ? {} : { swappiness: resources.swappiness }),
    ...deviceLimits(resources),
  };
}
