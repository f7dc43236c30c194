/**
 * `planSpec`: converts the engine's task to the OCI runtime specification. Pure; facts about the host are passed in,
 * and the user is already resolved with the container's own files.
 */
import { defaultMaskedPaths, defaultReadonlyPaths, NetyardError } from '@netyard/core';
import type { TaskSpec } from '@netyard/engine';
import type { OciNamespace, OciProcess, OciResources, OciSpec } from '../oci.ts';
import { planSeccomp } from '../seccomp/plan.ts';
import { planCapabilities } from './capabilities.ts';
import { planDeviceRules, planDevices, type RequestedDevice } from './devices.ts';
import { type BlockDevices, type CgroupFacts, planLimits } from './limits.ts';
import { initTarget, planMounts, planPropagation } from './mounts.ts';
import type { ProcessUser } from './user.ts';

export interface HostFacts {
  /** Capabilities that this process could grant at all. */
  available: readonly string[];
  /** Node's `process.arch`. */
  architecture: string;
  /** The kernel's release, such as `6.12.3-amd64`. */
  kernel: string;
  /** Of tini or docker-init, for `--init`. */
  initPath: string;
  /** For `--device`, and all of /dev for `--privileged`. */
  devices: readonly RequestedDevice[];
  cgroups: CgroupFacts;
  /** Devices that limits refer to. */
  blockDevices?: BlockDevices;
  /** Whether AppArmor is enabled: otherwise a profile is an error. */
  appArmor?: boolean;
  /** The daemon's own: a container's value if its specification sets none. */
  oomScoreAdj: number;
  /** Of each CPU: they reveal the load of others, see defaultMaskedPaths. */
  thermalPaths: readonly string[];
}

export function planSpec(spec: TaskSpec, facts: HostFacts, user: ProcessUser): OciSpec {
  const capabilities = planCapabilities(
    { add: spec.capAdd, drop: spec.capDrop, privileged: spec.privileged },
    facts.available,
  );
  const seccomp =
    spec.privileged || spec.seccomp === 'unconfined' ? undefined : planSeccomp(spec.seccomp, capabilities, facts);
  return {
    ociVersion: '1.0.2',
    process: planProcess(spec, user, capabilities, facts),
    root: { path: spec.rootPath, readonly: spec.readOnlyRoot },
    ...(spec.utsNamespace === 'host' ? {} : { hostname: spec.hostname }),
    mounts: planMounts(spec, facts.initPath),
    linux: {
      namespaces: planNamespaces(spec),
      cgroupsPath: spec.cgroupPath,
      resources: planResources(spec, facts),
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

function planProcess(spec: TaskSpec, user: ProcessUser, capabilities: string[], facts: HostFacts): OciProcess {
  const args = spec.init ? [initTarget, '--', ...spec.args] : spec.args;
  // A process of another user has them only in the bounding set, for programs with file capabilities; as in Docker.
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
    ...planOomScore(spec.oomScoreAdj, facts.oomScoreAdj),
    ...(spec.apparmorProfile !== undefined && facts.appArmor ? { apparmorProfile: spec.apparmorProfile } : {}),
    ...(spec.ulimits.length === 0 ? {} : { rlimits: spec.ulimits.map(planUlimit) }),
  };
}

/**
 * Containers do not inherit a negative score, which protects the daemon from the OOM killer. A positive score of the
 * daemon is inherited unless requested otherwise: lowering it requires CAP_SYS_RESOURCE.
 */
function planOomScore(requested: number, own: number): { oomScoreAdj?: number } {
  return requested === 0 && own > 0 ? {} : { oomScoreAdj: requested };
}

/** HOME is the user's unless it is set. */
export function withHome(env: readonly string[], home: string): string[] {
  return env.some((entry) => entry.startsWith('HOME=')) ? [...env] : [...env, `HOME=${home}`];
}

function planUlimit(limit: { name: string; soft: number; hard: number }): { type: string; soft: number; hard: number } {
  const infinite = (value: number): number => (value < 0 ? Number.MAX_SAFE_INTEGER : value);
  return { type: `RLIMIT_${limit.name.toUpperCase()}`, soft: infinite(limit.soft), hard: infinite(limit.hard) };
}

function planNamespaces(spec: TaskSpec): OciNamespace[] {
  const shared = (type: 'pid' | 'ipc', requested: TaskSpec['ipcNamespace']): OciNamespace[] => {
    if (requested === 'host') return [];
    return [typeof requested === 'string' ? { type } : { type, path: requested.path }];
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

function planSysctls(spec: TaskSpec): Record<string, string> {
  const domain = spec.domainname !== '' && spec.utsNamespace === 'private';
  return { ...(domain ? { 'kernel.domainname': spec.domainname } : {}), ...spec.sysctls };
}

function planResources(spec: TaskSpec, facts: HostFacts): OciResources {
  return {
    devices: planDeviceRules(facts.devices, spec.privileged, spec.deviceRules),
    ...planLimits(spec.resources, facts.cgroups, facts.blockDevices),
  };
}

/** `--device`: `rwm` or a subset. */
export function checkDevicePermissions(permissions: string): void {
  if (!/^[rwm]{0,3}$/.test(permissions)) throw new NetyardError('invalid', `invalid device mode: ${permissions}`);
}
