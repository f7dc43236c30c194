/** Translates a container for `docker inspect`. Pure. */
import type { ContainerInspect, ContainerState as DockerState, NetworkSettings } from '@netyard/api-types';
import { formatTime, zeroTime } from '@netyard/core';
import type { ContainerDetails, ContainerState } from '@netyard/engine';
import { showConfig } from './config-fields.ts';
import { hasOwnPorts, translateEndpoints } from './container-summary.ts';
import { showHost } from './host-fields.ts';
import { formatMountPoints } from './mounts.ts';
import { formatPublished } from './ports.ts';

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
    HostConfig: showHost(details),
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
    Config: showConfig(record),
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

/** The top-level fields describe the default bridge; they date from before user-defined networks. */
function translateNetworkSettings({ record, network }: ContainerDetails): NetworkSettings {
  const endpoint = network?.endpoints.find(({ networkName }) => networkName === 'bridge');
  const { v4, v6 } = endpoint?.addresses ?? {};
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
    Gateway: v4?.gateway ?? '',
    GlobalIPv6Address: v6?.address ?? '',
    GlobalIPv6PrefixLen: v6?.prefixLength ?? 0,
    IPAddress: v4?.address ?? '',
    IPPrefixLen: v4?.prefixLength ?? 0,
    IPv6Gateway: v6?.gateway ?? '',
    MacAddress: endpoint?.mac ?? '',
    Networks: translateEndpoints(record.config, network),
  };
}
