/**
 * `planSpec`: a task as the engine wants it → the OCI runtime specification. Pure; what depends on the host comes in
 * as facts, who the process is has been looked up in the container's own files.
 */
import { defaultMaskedPaths, defaultReadonlyPaths, NetyardError } from '@netyard/core';
import type { TaskResources, TaskSpec } from '@netyard/engine';
import type { OciNamespace, OciProcess, OciResources, OciSpec } from '../oci.ts';
import { planSeccomp } from '../seccomp/plan.ts';
import { planCapabilities } from './capabilities.ts';
import { planDeviceRules, planDevices, type WantedDevice } from './devices.ts';
import { initTarget, planMounts, planPropagation } from './mounts.ts';
import type { ProcessUser } from './user.ts';

export interface HostFacts {
  /** Capabilities that this process could give at all. */
  available: readonly string[];
  /** Node's `process.arch`. */
  architecture: string;
  /** Of tini or docker-init, for `--init`. */
  initPath: string;
  /** For `--device`, and all of /dev for `--privileged`. */
  devices: readonly WantedDevice[];
  cgroups: CgroupFacts;
  /** Our own: what a container would have if its specification said nothing. */
  oomScoreAdj: number;
  /** Of each CPU: they tell of the load of others, see defaultMaskedPaths. */
  thermalPaths: readonly string[];
}

export interface CgroupFacts {
  version: '1' | '2';
  /** Whether the kernel counts swap: without it a limit of swap is an error. */
  countsSwap: boolean;
}

export function planSpec(spec: TaskSpec, facts: HostFacts, user: ProcessUser): OciSpec {
  const capabilities = planCapabilities(
    { add: spec.capAdd, drop: spec.capDrop, privileged: spec.privileged },
    facts.available,
  );
  const unconfined = spec.privileged || spec.seccomp === 'unconfined';
  const seccomp = unconfined ? undefined : planSeccomp(spec.seccomp, capabilities, facts.architecture);
  return {
    ociVersion: '1.0.2',
    process: planProcess(spec, user, capabilities, facts.oomScoreAdj),
    root: { path: spec.rootPath, readonly: spec.readOnlyRoot },
    ...(spec.utsNamespace === 'host' ? {} : { hostname: fullHostname(spec) }),
    mounts: planMounts(spec, facts.initPath),
    linux: {
      namespaces: planNamespaces(spec),
      cgroupsPath: spec.cgroupPath,
      resources: planResources(spec.resources, facts, spec.privileged),
      devices: planDevices(facts.devices),
      sysctl: planSysctls(spec),
      ...planPropagation(spec),
      maskedPaths: spec.privileged ? [] : [...(spec.maskedPaths ?? [...defaultMaskedPaths, ...facts.thermalPaths])],
      readonlyPaths: spec.privileged ? [] : [...(spec.readonlyPaths ?? defaultReadonlyPaths)],
      ...(seccomp ? { seccomp } : {}),
    },
    annotations: spec.annotations,
  };
}

/** As Docker: the kernel's host name is the fully qualified one when a domain was given. */
const fullHostname = ({ hostname, domainname }: TaskSpec): string =>
  domainname === '' ? hostname : `${hostname}.${domainname}`;

function planProcess(spec: TaskSpec, user: ProcessUser, capabilities: string[], ownOomScoreAdj: number): OciProcess {
  const args = spec.init ? [initTarget, '--', ...spec.args] : spec.args;
  // A process of another user has them only in the bounding set, for programs with file capabilities; as Docker.
  const held = user.uid === 0 ? capabilities : [];
  return {
    terminal: spec.tty,
    ...(spec.consoleSize ? { consoleSize: { height: spec.consoleSize[0], width: spec.consoleSize[1] } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args,
    env: withHome(spec.env, user.home),
    cwd: spec.workingDirectory === '' ? '/' : spec.workingDirectory,
    capabilities: { bounding: capabilities, effective: held, permitted: held },
    noNewPrivileges: spec.noNewPrivileges,
    ...planOomScore(spec.oomScoreAdj, ownOomScoreAdj),
    ...(spec.ulimits.length === 0 ? {} : { rlimits: spec.ulimits.map(planUlimit) }),
  };
}

/**
 * A daemon that the kernel is to spare (a negative score) does not pass that on to its containers. A higher score of
 * ours is passed on unless asked otherwise: lowering it takes CAP_SYS_RESOURCE.
 */
function planOomScore(wanted: number, own: number): { oomScoreAdj?: number } {
  return wanted === 0 && own > 0 ? {} : { oomScoreAdj: wanted };
}

/** HOME is the user's unless it was given. */
export function withHome(env: readonly string[], home: string): string[] {
  return env.some((entry) => entry.startsWith('HOME=')) ? [...env] : [...env, `HOME=${home}`];
}

function planUlimit(limit: { name: string; soft: number; hard: number }): { type: string; soft: number; hard: number } {
  const infinite = (value: number): number => (value < 0 ? Number.MAX_SAFE_INTEGER : value);
  return { type: `RLIMIT_${limit.name.toUpperCase()}`, soft: infinite(limit.soft), hard: infinite(limit.hard) };
}

function planNamespaces(spec: TaskSpec): OciNamespace[] {
  const shared = (type: 'pid' | 'ipc', wanted: TaskSpec['pidNamespace']): OciNamespace[] => {
    if (wanted === 'host') return [];
    return [wanted === 'private' ? { type } : { type, path: wanted.path }];
  };
  return [
    { type: 'mount' },
    ...(spec.netnsPath === undefined ? [] : [{ type: 'network', path: spec.netnsPath } as const]),
    ...(spec.utsNamespace === 'host' ? [] : [{ type: 'uts' } as const]),
    ...shared('pid', spec.pidNamespace),
    ...shared('ipc', spec.ipcNamespace),
    ...(spec.cgroupNamespace === 'host' ? [] : [{ type: 'cgroup' } as const]),
  ];
}

/** What Docker sets so that an ordinary user in a container can ping and bind low ports, and what was asked for. */
function planSysctls(spec: TaskSpec): Record<string, string> {
  const domain = spec.domainname !== '' && spec.utsNamespace === 'private';
  const own = { ...(domain ? { 'kernel.domainname': spec.domainname } : {}), ...spec.sysctls };
  if (spec.netnsPath === undefined) return own;
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
    ...own,
  };
}

function planResources(wanted: TaskResources, facts: HostFacts, privileged: boolean): OciResources {
  return { devices: planDeviceRules(facts.devices, privileged), ...planLimits(wanted, facts.cgroups) };
}

/** Limits alone, also for an update of a running task. */
export function planLimits(wanted: TaskResources, cgroups: CgroupFacts): Omit<OciResources, 'devices'> {
  const memory = defined({
    limit: positive(wanted.memory),
    reservation: positive(wanted.memoryReservation),
    swap: cgroups.countsSwap ? planSwap(wanted) : undefined,
    disableOOMKiller: wanted.oomKillDisable && cgroups.version === '1' ? true : undefined,
  });
  const cpu = defined({
    shares: positive(wanted.cpuShares),
    quota: wanted.cpuQuota === 0 ? undefined : wanted.cpuQuota,
    period: positive(wanted.cpuPeriod),
    cpus: wanted.cpusetCpus || undefined,
    mems: wanted.cpusetMems || undefined,
  });
  return {
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(wanted.pidsLimit ? { pids: { limit: wanted.pidsLimit < 0 ? mostPids : wanted.pidsLimit } } : {}),
    ...(positive(wanted.blkioWeight) === undefined ? {} : { blockIO: { weight: wanted.blkioWeight ?? 0 } }),
  };
}

/**
 * PID_MAX_LIMIT, as many as there can be: what takes a limit away. crun 1.8 writes the -1 of the specification to
 * pids.max, which takes `max` or a number up to this one.
 */
export const mostPids = 4_194_304;

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

/** `--device`: `rwm` or a part of it. */
export function checkDevicePermissions(permissions: string): void {
  if (!/^[rwm]{0,3}$/.test(permissions)) throw new NetyardError('invalid', `invalid device mode: ${permissions}`);
}
