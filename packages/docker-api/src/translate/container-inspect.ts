/** Translates a container for `docker inspect`. Pure. */
import type {
  ContainerInspect,
  ContainerState as DockerState,
  EndpointSettings,
  NetworkSettings,
} from '@netyard/api-types';
import { formatTime, shortId, zeroTime } from '@netyard/core';
import type { ContainerDetails, ContainerState } from '@netyard/engine';
import { type ApiVersion, speaks } from '../versions.ts';
import { showConfig } from './config-fields.ts';
import { hasOwnPorts, translateEndpoints } from './container-summary.ts';
import { showHost } from './host-fields.ts';
import { formatMountPoints } from './mounts.ts';
import { formatPublished } from './ports.ts';

const time = (nanoseconds: bigint | undefined): string =>
  nanoseconds === undefined ? zeroTime : formatTime(nanoseconds);
const list = (values: readonly string[]): string[] | null => (values.length > 0 ? [...values] : null);

export function translateContainerInspect(
  details: ContainerDetails,
  version: ApiVersion,
): ContainerInspect | InspectSince52 {
  const shown = showContainer(details, version);
  return speaks(version, 52) ? withoutDeprecated(shown) : shown;
}

export type InspectSince52 = Omit<ContainerInspect, 'NetworkSettings' | 'Config'> & {
  NetworkSettings: Pick<NetworkSettings, 'SandboxID' | 'SandboxKey' | 'Ports' | 'Networks'>;
  Config: Partial<ContainerInspect['Config']>;
};

/** API 1.52 removed what describes the default bridge only, and the MAC address of a container. */
function withoutDeprecated(shown: ContainerInspect): InspectSince52 {
  const { SandboxID, SandboxKey, Ports, Networks } = shown.NetworkSettings;
  const { OnBuild, MacAddress: _, ...config } = shown.Config;
  const Config = { ...config, ...(OnBuild && OnBuild.length > 0 ? { OnBuild } : {}) };
  return { ...shown, NetworkSettings: { SandboxID, SandboxKey, Ports, Networks }, Config };
}

function showContainer(details: ContainerDetails, version: ApiVersion): ContainerInspect {
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
    NetworkSettings: translateNetworkSettings(details, version),
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
function translateNetworkSettings(details: ContainerDetails, version: ApiVersion): NetworkSettings {
  const { record, network } = details;
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
    Networks: speaks(version, 45) ? translateEndpoints(details) : withOwnAliases(details),
  };
}

/** Before API 1.45 the aliases of user-defined networks include the short id and the hostname. */
function withOwnAliases(details: ContainerDetails): Record<string, EndpointSettings> {
  const { id, config } = details.record;
  const own = [shortId(id), config.hostname || shortId(id)];
  const shown = Object.entries(translateEndpoints(details)).map(([name, endpoint]): [string, EndpointSettings] => {
    if (['bridge', 'host', 'none'].includes(name)) return [name, endpoint];
    return [name, { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), ...own])] }];
  });
  return Object.fromEntries(shown);
}
