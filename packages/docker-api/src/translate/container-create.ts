/** The body of POST /containers/create as the engine's wish. Pure. Conflicts of modes are the network box's to find. */
import { NetyardError } from '@netyard/core';
import type { ContainerConfig, Healthcheck } from '@netyard/engine';
import { type EndpointConfig, parseNetworkMode } from '@netyard/network';
import type { ContainerCreateBody, HealthcheckBody, HostConfigBody } from '../schemas/container.ts';
import { type ApiVersion, speaks } from '../versions.ts';
import { translateMounts } from './mounts.ts';
import { translateEndpointRequest } from './network.ts';
import { parsePortKey, translatePortBindings } from './ports.ts';
import { translateResources, translateRestartPolicy } from './resources.ts';

export interface TranslatedCreate {
  config: ContainerConfig;
  warnings: string[];
}

/** What the daemon's own flags say for containers that do not. */
export interface CreateDefaults {
  init: boolean;
}

export function translateContainerCreate(
  body: ContainerCreateBody,
  version: ApiVersion,
  defaults: CreateDefaults,
): TranslatedCreate {
  const host = body.HostConfig;
  if (body.hasNoConfig) throw new NetyardError('invalid', 'config cannot be empty in order to create a container');
  if (body.Image === '' && !body.Cmd?.length && !body.Entrypoint?.length)
    throw new NetyardError('invalid', 'no command specified');
  refuseUnsupported(host);
  const { endpoints, warnings } = translateEndpoints(body, version);
  return {
    config: { ...processPart(body), ...networkPart(body, endpoints), ...hostPart(host, version, defaults) },
    warnings,
  };
}

function refuseUnsupported(host: HostConfigBody): void {
  if (host.DeviceRequests.length > 0)
    throw new NetyardError('not-implemented', 'Netyard has no device drivers (--gpus)', {
      hint: 'give the device nodes one by one with --device',
    });
  if (Object.keys(host.StorageOpt).length > 0)
    throw new NetyardError('not-implemented', 'Netyard has no storage options (--storage-opt)');
}

type ProcessPart = Pick<
  ContainerConfig,
  | 'image'
  | 'entrypoint'
  | 'command'
  | 'env'
  | 'workingDirectory'
  | 'user'
  | 'hostname'
  | 'domainname'
  | 'labels'
  | 'tty'
  | 'openStdin'
  | 'stdinOnce'
  | 'attachStdin'
  | 'attachStdout'
  | 'attachStderr'
  | 'stopSignal'
  | 'stopTimeoutSeconds'
  | 'healthcheck'
  | 'volumes'
  | 'consoleSize'
>;

function processPart(body: ContainerCreateBody): ProcessPart {
  const size = body.HostConfig.ConsoleSize;
  return {
    image: body.Image,
    entrypoint: body.Entrypoint ?? undefined,
    command: body.Cmd ?? [],
    env: body.Env,
    workingDirectory: body.WorkingDir,
    user: body.User,
    hostname: body.Hostname,
    domainname: body.Domainname,
    labels: body.Labels,
    tty: body.Tty,
    openStdin: body.OpenStdin,
    stdinOnce: body.StdinOnce,
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    stopSignal: body.StopSignal,
    stopTimeoutSeconds: body.StopTimeout ?? undefined,
    ...(body.Healthcheck ? { healthcheck: translateHealthcheck(body.Healthcheck) } : {}),
    volumes: body.Volumes,
    ...(size && size[0] > 0 && size[1] > 0 ? { consoleSize: size } : {}),
  };
}

const translateHealthcheck = (body: HealthcheckBody): Healthcheck => ({
  test: body.Test,
  intervalNanoseconds: body.Interval,
  timeoutNanoseconds: body.Timeout,
  startPeriodNanoseconds: body.StartPeriod,
  retries: body.Retries,
});

type NetworkPart = Pick<
  ContainerConfig,
  | 'exposed'
  | 'macAddress'
  | 'networkDisabled'
  | 'networkMode'
  | 'networkModeText'
  | 'endpoints'
  | 'ports'
  | 'publishAll'
  | 'links'
  | 'extraHosts'
  | 'dns'
  | 'dnsSearch'
  | 'dnsOptions'
>;

function networkPart(body: ContainerCreateBody, endpoints: EndpointConfig[]): NetworkPart {
  const host = body.HostConfig;
  return {
    exposed: body.ExposedPorts.flatMap(parsePortKey),
    macAddress: body.MacAddress,
    networkDisabled: body.NetworkDisabled,
    networkMode: parseNetworkMode(host.NetworkMode),
    networkModeText: ['', 'default'].includes(host.NetworkMode) ? 'bridge' : host.NetworkMode,
    endpoints,
    ports: translatePortBindings(host.PortBindings ?? {}),
    publishAll: host.PublishAllPorts,
    links: host.Links,
    extraHosts: host.ExtraHosts,
    dns: host.Dns,
    dnsSearch: host.DnsSearch,
    dnsOptions: host.DnsOptions,
  };
}

/** Since 1.44 a MAC address belongs to an endpoint; the container-wide one goes to the network of the mode. */
function translateEndpoints(
  body: ContainerCreateBody,
  version: ApiVersion,
): { endpoints: EndpointConfig[]; warnings: string[] } {
  const given = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (given.length > 1 && !speaks(version, 44)) {
    const names = given.map(([name]) => name).sort();
    throw new NetyardError(
      'invalid',
      `Container cannot be created with multiple network endpoints: ${names.join(', ')}`,
    );
  }
  const endpoints = given.map(([name, settings]) => translateEndpointRequest(name, settings));
  if (body.MacAddress === '') return { endpoints, warnings: [] };
  checkMac(body.MacAddress);
  refuseMacMode(body.HostConfig.NetworkMode);
  const mode = body.HostConfig.NetworkMode || 'default';
  if (/^(host|none|container:.*)$/.test(mode)) return { endpoints, warnings: [] };
  return {
    endpoints: withMac(endpoints, mode, body.MacAddress),
    warnings: speaks(version, 44) ? [macWarning] : [],
  };
}

const macWarning =
  'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.';

function checkMac(text: string): void {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text))
    throw new NetyardError('invalid', `invalid MAC address: ${text}`);
}

function refuseMacMode(mode: string): void {
  if (/^(host$|container:)/.test(mode))
    throw new NetyardError('invalid', 'conflicting options: mac-address and the network mode');
}

function withMac(endpoints: EndpointConfig[], mode: string, macAddress: string): EndpointConfig[] {
  const isOfMode = (endpoint: EndpointConfig): boolean =>
    endpoint.network === mode || (mode === 'default' && endpoint.network === 'bridge');
  if (!endpoints.some(isOfMode)) return [...endpoints, { network: mode === 'default' ? 'bridge' : mode, macAddress }];
  return endpoints.map((endpoint) => (isOfMode(endpoint) ? { macAddress, ...endpoint } : endpoint));
}

type HostPart = Omit<ContainerConfig, keyof ProcessPart | keyof NetworkPart>;

function hostPart(host: HostConfigBody, version: ApiVersion, defaults: CreateDefaults): HostPart {
  return {
    mounts: translateMounts(host, version),
    volumesFrom: host.VolumesFrom,
    binds: host.Binds,
    autoRemove: host.AutoRemove,
    restartPolicy: translateRestartPolicy(host.RestartPolicy),
    init: host.Init ?? defaults.init,
    readOnlyRootfs: host.ReadonlyRootfs,
    ...securityPart(host),
    ...namespacePart(host),
    devices: host.Devices.map((device) => ({
      pathOnHost: device.PathOnHost,
      pathInContainer: device.PathInContainer || device.PathOnHost,
      permissions: device.CgroupPermissions || 'rwm',
    })),
    resources: translateResources(host),
    ulimits: host.Ulimits.map((limit) => ({ name: limit.Name, soft: limit.Soft, hard: limit.Hard })),
    oomScoreAdj: host.OomScoreAdj,
    shmSize: host.ShmSize,
    sysctls: host.Sysctls,
    cgroupParent: host.CgroupParent,
    logDriver: host.LogConfig?.Type ?? '',
    logOptions: host.LogConfig?.Config ?? {},
    runtime: host.Runtime,
    ...(host.Isolation === '' ? {} : { isolation: host.Isolation }),
    ...(host.VolumeDriver === '' ? {} : { volumeDriver: host.VolumeDriver }),
    annotations: host.Annotations,
  };
}

type SecurityPart = Pick<
  ContainerConfig,
  'privileged' | 'capAdd' | 'capDrop' | 'securityOptions' | 'groupAdd' | 'maskedPaths' | 'readonlyPaths'
>;

function securityPart(host: HostConfigBody): SecurityPart {
  return {
    privileged: host.Privileged,
    capAdd: host.CapAdd,
    capDrop: host.CapDrop,
    securityOptions: host.SecurityOpt,
    groupAdd: host.GroupAdd,
    ...(host.MaskedPaths ? { maskedPaths: host.MaskedPaths } : {}),
    ...(host.ReadonlyPaths ? { readonlyPaths: host.ReadonlyPaths } : {}),
  };
}

function namespacePart(
  host: HostConfigBody,
): Pick<ContainerConfig, 'pidMode' | 'ipcMode' | 'utsMode' | 'usernsMode' | 'cgroupnsMode'> {
  return {
    pidMode: host.PidMode,
    ipcMode: host.IpcMode,
    utsMode: host.UTSMode,
    usernsMode: host.UsernsMode,
    cgroupnsMode: host.CgroupnsMode,
  };
}
