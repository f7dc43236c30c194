/** `docker inspect` of a container. Pure. */
import type {
  ContainerInspect,
  ContainerConfig as DockerConfig,
  ContainerState as DockerState,
  HostConfig,
  NetworkSettings,
} from '@netyard/api-types';
import { defaultMaskedPaths, defaultReadonlyPaths, formatTime, zeroTime } from '@netyard/core';
import type { ContainerConfig, ContainerDetails, ContainerRecord, ContainerState, Healthcheck } from '@netyard/engine';
import { hasOwnPorts, translateEndpoints } from './container-summary.ts';
import { formatMountPoints, formatMountRequests, formatTmpfs } from './mounts.ts';
import { formatExposed, formatPortRequests, formatPublished } from './ports.ts';
import { formatResources } from './resources.ts';

const time = (nanoseconds: bigint | undefined): string =>
  nanoseconds === undefined ? zeroTime : formatTime(nanoseconds);
const list = (values: readonly string[]): string[] | null => (values.length > 0 ? [...values] : null);

export function translateContainerInspect(details: ContainerDetails): ContainerInspect {
  const { record, overlay } = details;
  const [path = '', ...args] = record.process.args;
  return {
    Id: record.id,
    Created: time(record.created),
    Path: path,
    Args: args,
    State: translateState(record.state),
    Image: record.imageId,
    ResolvConfPath: details.resolvConfPath,
    HostnamePath: details.hostnamePath,
    HostsPath: details.hostsPath,
    LogPath: details.logPath,
    Name: `/${record.name}`,
    RestartCount: record.state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: list(details.execIds),
    HostConfig: translateHostConfig(details),
    GraphDriver: {
      Data: {
        ID: record.id,
        LowerDir: overlay.lower.join(':'),
        MergedDir: overlay.merged,
        UpperDir: overlay.upper,
        WorkDir: overlay.work,
      },
      Name: 'overlay2',
    },
    ...(details.sizes ? { SizeRw: details.sizes.writable, SizeRootFs: details.sizes.total } : {}),
    Mounts: formatMountPoints(record.mounts, record.config),
    Config: translateConfig(record),
    NetworkSettings: translateNetworkSettings(details),
  };
}

export function translateState(state: ContainerState): DockerState {
  const { status, health } = state;
  return {
    Status: status,
    Running: status === 'running' || status === 'paused' || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: time(state.startedAt),
    FinishedAt: time(state.finishedAt),
    ...(health
      ? {
          Health: {
            Status: health.status,
            FailingStreak: health.failingStreak,
            Log: health.log.map((entry) => ({
              Start: time(entry.start),
              End: time(entry.end),
              ExitCode: entry.exitCode,
              Output: entry.output,
            })),
          },
        }
      : {}),
  };
}

function translateConfig(record: ContainerRecord): DockerConfig {
  const { config } = record;
  return {
    Hostname: hostnameOf(record),
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: config.attachStdin,
    AttachStdout: config.attachStdout,
    AttachStderr: config.attachStderr,
    ...(config.exposed.length > 0 ? { ExposedPorts: formatExposed(config.exposed) } : {}),
    Tty: config.tty,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce,
    Env: config.env,
    Cmd: list(config.command),
    ...(config.healthcheck ? { Healthcheck: translateHealthcheck(config.healthcheck) } : {}),
    Image: config.image,
    Volumes: config.volumes.length > 0 ? Object.fromEntries(config.volumes.map((path) => [path, {}])) : null,
    WorkingDir: config.workingDirectory,
    Entrypoint: list(config.entrypoint ?? []),
    ...(config.networkDisabled ? { NetworkDisabled: true } : {}),
    ...(config.macAddress === '' ? {} : { MacAddress: config.macAddress }),
    OnBuild: null,
    Labels: config.labels,
    ...(config.stopSignal === '' ? {} : { StopSignal: config.stopSignal }),
    ...(config.stopTimeoutSeconds === undefined ? {} : { StopTimeout: config.stopTimeoutSeconds }),
  };
}

/** Docker shows the short id where no name was given; a shared network has the other's hostname, shown as ''. */
function hostnameOf({ id, config }: ContainerRecord): string {
  if (config.hostname !== '') return config.hostname;
  return config.networkMode.kind === 'container' ? '' : id.slice(0, 12);
}

const translateHealthcheck = (check: Healthcheck): NonNullable<DockerConfig['Healthcheck']> => ({
  Test: check.test,
  ...(check.intervalNanoseconds > 0 ? { Interval: check.intervalNanoseconds } : {}),
  ...(check.timeoutNanoseconds > 0 ? { Timeout: check.timeoutNanoseconds } : {}),
  ...(check.startPeriodNanoseconds > 0 ? { StartPeriod: check.startPeriodNanoseconds } : {}),
  ...(check.retries > 0 ? { Retries: check.retries } : {}),
});

function translateHostConfig({ record, linkTexts }: ContainerDetails): HostConfig {
  const { config } = record;
  const mounts = formatMountRequests(config);
  const tmpfs = formatTmpfs(config);
  return {
    ...formatResources(config),
    ...hostNamespaces(config),
    Binds: list(config.binds),
    ContainerIDFile: '',
    LogConfig: { Type: config.logDriver, Config: config.logOptions },
    NetworkMode: config.networkModeText,
    PortBindings: formatPortRequests(config.ports),
    RestartPolicy: { Name: config.restartPolicy.name, MaximumRetryCount: config.restartPolicy.maximumRetryCount },
    AutoRemove: config.autoRemove,
    VolumeDriver: config.volumeDriver ?? '',
    VolumesFrom: list(config.volumesFrom),
    ConsoleSize: config.consoleSize ?? [0, 0],
    ...(Object.keys(config.annotations).length > 0 ? { Annotations: config.annotations } : {}),
    CapAdd: list(config.capAdd),
    CapDrop: list(config.capDrop),
    Dns: config.dns,
    DnsOptions: config.dnsOptions,
    DnsSearch: config.dnsSearch,
    ExtraHosts: list(config.extraHosts),
    GroupAdd: list(config.groupAdd),
    Links: list(linkTexts),
    OomScoreAdj: config.oomScoreAdj,
    Privileged: config.privileged,
    PublishAllPorts: config.publishAll,
    ReadonlyRootfs: config.readOnlyRootfs,
    SecurityOpt: list(config.securityOptions),
    ...(Object.keys(tmpfs).length > 0 ? { Tmpfs: tmpfs } : {}),
    ShmSize: config.shmSize,
    ...(Object.keys(config.sysctls).length > 0 ? { Sysctls: config.sysctls } : {}),
    Runtime: config.runtime,
    ...(mounts.length > 0 ? { Mounts: mounts } : {}),
    MaskedPaths: config.privileged ? null : (config.maskedPaths ?? [...defaultMaskedPaths]),
    ReadonlyPaths: config.privileged ? null : (config.readonlyPaths ?? [...defaultReadonlyPaths]),
    ...(config.init ? { Init: true } : {}),
  };
}

function hostNamespaces(
  config: ContainerConfig,
): Pick<HostConfig, 'CgroupnsMode' | 'IpcMode' | 'Cgroup' | 'PidMode' | 'UTSMode' | 'UsernsMode' | 'Isolation'> {
  return {
    CgroupnsMode: config.cgroupnsMode,
    IpcMode: config.ipcMode,
    Cgroup: '',
    PidMode: config.pidMode,
    UTSMode: config.utsMode,
    UsernsMode: config.usernsMode,
    Isolation: config.isolation ?? '',
  };
}

/** The fields at the top are those of the default bridge, from the days of one network. */
function translateNetworkSettings({ record, network }: ContainerDetails): NetworkSettings {
  const endpoint = network?.endpoints.find(({ networkName }) => networkName === 'bridge');
  const ports = network && hasOwnPorts(network) ? formatPublished(network.ports, record.config.exposed) : {};
  return {
    Bridge: '',
    SandboxID: network?.id ?? '',
    SandboxKey: network?.netnsPath ?? '',
    Ports: ports,
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.ipv4Gateway ?? '',
    GlobalIPv6Address: endpoint?.ipv6Address ?? '',
    GlobalIPv6PrefixLen: endpoint?.ipv6PrefixLength ?? 0,
    IPAddress: endpoint?.ipv4Address ?? '',
    IPPrefixLen: endpoint?.ipv4PrefixLength ?? 0,
    IPv6Gateway: endpoint?.ipv6Gateway ?? '',
    MacAddress: endpoint?.mac ?? '',
    Networks: translateEndpoints(record.config, network),
  };
}
