/** Builds the responses of `docker version` and `docker info`. Pure. */
import type { InfoResponse, VersionResponse } from '@netyard/api-types';
import { formatTime } from '@netyard/core';
import type { SystemInfo } from '@netyard/engine';
import { driverNames } from '@netyard/network';
import type { DaemonInfo } from '../options.ts';
import { formatVersion, maximumVersion, minimumVersion } from '../versions.ts';

/** Go's names of architectures (GOARCH), by the name in `uname -m`. */
const goArchitectures: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

export function translateVersion(daemon: DaemonInfo, system: SystemInfo): VersionResponse {
  const api = formatVersion(maximumVersion);
  const least = formatVersion(minimumVersion);
  const arch = goArchitectures[daemon.machine] ?? daemon.machine;
  const runtimes = Object.entries(system.runtimes).map(([name, { version }]) => ({
    Name: name,
    Version: version,
    Details: {},
  }));
  return {
    Platform: { Name: 'Netyard' },
    Components: [
      {
        Name: 'Engine',
        Version: daemon.version,
        Details: {
          ApiVersion: api,
          Arch: arch,
          BuildTime: daemon.buildTime,
          Experimental: 'false',
          GitCommit: daemon.commit,
          GoVersion: `node ${daemon.nodeVersion}`,
          KernelVersion: daemon.kernelVersion,
          MinAPIVersion: least,
          Os: 'linux',
        },
      },
      { Name: 'containerd', Version: system.containerd, Details: {} },
      ...runtimes,
    ],
    Version: daemon.version,
    ApiVersion: api,
    MinAPIVersion: least,
    GitCommit: daemon.commit,
    GoVersion: `node ${daemon.nodeVersion}`,
    Os: 'linux',
    Arch: arch,
    KernelVersion: daemon.kernelVersion,
    BuildTime: daemon.buildTime,
  };
}

export function translateInfo(daemon: DaemonInfo, system: SystemInfo, now: bigint): InfoResponse {
  return {
    ...hostPart(daemon, now),
    ...featurePart(daemon, system),
    Containers: system.containers.total,
    ContainersRunning: system.containers.running,
    ContainersPaused: system.containers.paused,
    ContainersStopped: system.containers.stopped,
    Images: system.images,
    Driver: 'overlay2',
    DriverStatus: [['Backing Store', system.storageDriver]],
    DockerRootDir: system.dataRoot,
    Runtimes: Object.fromEntries(Object.entries(system.runtimes).map(([name, { path }]) => [name, { path }])),
    DefaultRuntime: system.defaultRuntime,
    ContainerdCommit: { ID: system.containerd },
    RuncCommit: { ID: system.runtimes[system.defaultRuntime]?.version ?? '' },
    Warnings: system.warnings.length > 0 ? system.warnings : null,
  };
}

type HostPart = Pick<
  InfoResponse,
  | 'ID'
  | 'SystemTime'
  | 'KernelVersion'
  | 'OperatingSystem'
  | 'OSVersion'
  | 'OSType'
  | 'Architecture'
  | 'NCPU'
  | 'MemTotal'
  | 'Name'
  | 'Labels'
  | 'HttpProxy'
  | 'HttpsProxy'
  | 'NoProxy'
  | 'GenericResources'
  | 'NFd'
  | 'NGoroutines'
  | 'NEventsListener'
>;

function hostPart(daemon: DaemonInfo, now: bigint): HostPart {
  return {
    ID: daemon.id,
    SystemTime: formatTime(now),
    KernelVersion: daemon.kernelVersion,
    OperatingSystem: daemon.operatingSystem,
    OSVersion: daemon.osVersion,
    OSType: 'linux',
    Architecture: daemon.machine,
    NCPU: daemon.cpus,
    MemTotal: daemon.memoryBytes,
    Name: daemon.hostname,
    Labels: daemon.labels,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    GenericResources: null,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
  };
}

type FeaturePart = Omit<
  InfoResponse,
  | keyof HostPart
  | 'Containers'
  | 'ContainersRunning'
  | 'ContainersPaused'
  | 'ContainersStopped'
  | 'Images'
  | 'Driver'
  | 'DriverStatus'
  | 'DockerRootDir'
  | 'Runtimes'
  | 'DefaultRuntime'
  | 'ContainerdCommit'
  | 'RuncCommit'
  | 'Warnings'
>;

function featurePart(daemon: DaemonInfo, system: SystemInfo): FeaturePart {
  return {
    ...limitsPart(),
    Plugins: {
      Volume: ['local'],
      Network: [...driverNames],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    IPv4Forwarding: daemon.ipv4Forwarding(),
    Debug: daemon.debug,
    LoggingDriver: daemon.loggingDriver,
    CgroupDriver: 'cgroupfs',
    CgroupVersion: system.cgroupVersion,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: registryPart(daemon),
    ExperimentalBuild: false,
    ServerVersion: daemon.version,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: daemon.liveRestore,
    Isolation: '',
    InitBinary: daemon.initBinary,
    InitCommit: { ID: '' },
    SecurityOptions: ['name=seccomp,profile=builtin', ...(system.cgroupVersion === '2' ? ['name=cgroupns'] : [])],
    Containerd: {
      Address: '',
      Namespaces: { Containers: daemon.containerdNamespace, Plugins: daemon.containerdNamespace },
    },
  };
}

/** Limits that Netyard can set: all that the engine's contract has. */
const limitsPart = () => ({
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  OomKillDisable: true,
});

function registryPart(daemon: DaemonInfo): InfoResponse['RegistryConfig'] {
  const cidrs = daemon.insecureRegistries.filter((text) => text.includes('/'));
  const hosts = daemon.insecureRegistries.filter((text) => !text.includes('/'));
  return {
    InsecureRegistryCIDRs: [...new Set([...cidrs, '127.0.0.0/8'])],
    IndexConfigs: Object.fromEntries([
      ['docker.io', { Name: 'docker.io', Mirrors: daemon.registryMirrors, Secure: true, Official: true }],
      ...hosts.map((name) => [name, { Name: name, Mirrors: [], Secure: false, Official: false }] as const),
    ]),
    Mirrors: daemon.registryMirrors,
  };
}
