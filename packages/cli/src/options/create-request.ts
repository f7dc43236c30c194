/** The flags of `run` and `create` as the API's create request. Pure: files are read through what is given. */
import type { ContainerConfig, ContainerCreateRequest, HealthConfig, HostConfig, Resources } from '@netyard/api-types';
import { NetyardError, parseMac } from '@netyard/core';
import type { Flags } from '../program/flags.ts';
import { parseBytes, parseCpus, parseDuration, parseRestart, parseSwap } from '../program/values.ts';
import { keyValues, readEnvironment, readLabels, type TextFile } from './environment.ts';
import { parseCapabilities, parseDevice, parseLogging, parseSecurity } from './host-resources.ts';
import { parseExtraHost } from './hosts.ts';
import { parseMount, parseTmpfs, parseVolumes } from './mounts.ts';
import { parseNetwork, planEndpoints } from './network.ts';
import { parsePorts } from './ports.ts';
import { parseUlimit } from './ulimit.ts';

export interface CreateInput {
  flags: Flags;
  image: string;
  command: string[];
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  readFile: (path: string) => string;
}

const invalid = (text: string): NetyardError => new NetyardError('invalid', text);
const orNull = <T>(items: T[]): T[] | null => (items.length > 0 ? items : null);
const bytesOf = (flags: Flags, name: string): number => (flags.has(name) ? parseBytes(flags.text(name)) : 0);

/** Throws `invalid` with docker's words. */
export function createRequest(input: CreateInput): ContainerCreateRequest {
  const { flags } = input;
  checkFlags(flags);
  const ports = parsePorts(flags.list('publish'), flags.list('expose'));
  const volumes = parseVolumes(flags.list('volume'), input.cwd);
  const network = planEndpoints(flags.list('network').map(parseNetwork), {
    aliases: flags.list('network-alias'),
    links: flags.list('link'),
    ipv4: flags.text('ip'),
    ipv6: flags.text('ip6'),
    mac: flags.text('mac-address'),
    linkLocalIps: flags.list('link-local-ip'),
  });
  return {
    ...containerConfig(input, ports.exposed, volumes.volumes),
    HostConfig: {
      ...hostConfig(input, network.mode),
      PortBindings: ports.bindings,
      Binds: orNull(volumes.binds),
    },
    NetworkingConfig: { EndpointsConfig: network.endpoints },
  };
}

function checkFlags(flags: Flags): void {
  const mac = flags.text('mac-address');
  if (mac !== '') parseMac(mac);
  const swappiness = Number(flags.text('memory-swappiness'));
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  checkMode(flags, 'pid', 'PID', /^(|host|container:.+)$/);
  checkMode(flags, 'uts', 'UTS', /^(|host)$/);
  checkMode(flags, 'userns', 'USER', /^(|host)$/);
  checkMode(flags, 'cgroupns', 'CGROUP', /^(|host|private)$/);
  const restart = parseRestart(flags.text('restart'));
  if (flags.bool('rm') && !['', 'no'].includes(restart.Name)) {
    throw invalid('conflicting options: cannot specify both --restart and --rm');
  }
}

function checkMode(flags: Flags, name: string, word: string, allowed: RegExp): void {
  if (!allowed.test(flags.text(name))) throw invalid(`--${name}: invalid ${word} mode`);
}

function containerConfig(
  { flags, image, command, env, readFile }: CreateInput,
  exposed: Record<string, Record<string, never>>,
  volumes: Record<string, Record<string, never>>,
): Partial<ContainerConfig> {
  const attached = flags.list('attach').map((name) => name.toLowerCase());
  const stdin = attached.includes('stdin') || flags.bool('interactive');
  const files = (name: string): TextFile[] => flags.list(name).map((path) => ({ name: path, text: readFile(path) }));
  const mac = flags.text('mac-address');
  const health = healthcheck(flags);
  return {
    Hostname: flags.text('hostname'),
    Domainname: flags.text('domainname'),
    User: flags.text('user'),
    AttachStdin: stdin,
    AttachStdout: attached.length === 0 || attached.includes('stdout'),
    AttachStderr: attached.length === 0 || attached.includes('stderr'),
    ...(Object.keys(exposed).length > 0 ? { ExposedPorts: exposed } : {}),
    Tty: flags.bool('tty'),
    OpenStdin: flags.bool('interactive'),
    // A client that goes away ends the input of a container it was attached to.
    StdinOnce: flags.bool('interactive') && stdin,
    Env: orNull(readEnvironment(files('env-file'), flags.list('env'), env)),
    Cmd: orNull(command),
    ...(health ? { Healthcheck: health } : {}),
    Image: image,
    Volumes: volumes,
    WorkingDir: flags.text('workdir'),
    Entrypoint: flags.has('entrypoint') ? [flags.text('entrypoint')] : null,
    ...(mac !== '' ? { MacAddress: mac } : {}),
    OnBuild: null,
    Labels: readLabels(files('label-file'), [...flags.list('label'), ...publishLabel(flags)]),
    ...(flags.text('stop-signal') !== '' ? { StopSignal: flags.text('stop-signal') } : {}),
    ...(flags.has('stop-timeout') ? { StopTimeout: flags.number('stop-timeout') } : {}),
  };
}

/** As `docker run --label` would say it; nothing given is the daemon's default. */
const publishLabel = (flags: Flags): string[] =>
  flags.has('publish-name') ? [`netyard.publish-name=${flags.bool('publish-name')}`] : [];

function healthcheck(flags: Flags): HealthConfig | undefined {
  const names = ['health-interval', 'health-timeout', 'health-start-period', 'health-start-interval'] as const;
  const [interval = 0, timeout = 0, startPeriod = 0, startInterval = 0] = names.map((name) =>
    parseDuration(flags.text(name)),
  );
  const retries = flags.number('health-retries');
  const command = flags.text('health-cmd');
  const given =
    command !== '' || interval !== 0 || timeout !== 0 || startPeriod !== 0 || startInterval !== 0 || retries !== 0;
  if (flags.bool('no-healthcheck')) {
    if (given) throw invalid('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!given) return undefined;
  names.forEach((name, index) => {
    if (([interval, timeout, startPeriod, startInterval][index] ?? 0) < 0)
      throw invalid(`--${name} cannot be negative`);
  });
  if (retries < 0) throw invalid('--health-retries cannot be negative');
  return {
    ...(command !== '' ? { Test: ['CMD-SHELL', command] } : {}),
    ...(interval !== 0 ? { Interval: interval } : {}),
    ...(timeout !== 0 ? { Timeout: timeout } : {}),
    ...(startPeriod !== 0 ? { StartPeriod: startPeriod } : {}),
    ...(startInterval !== 0 ? { StartInterval: startInterval } : {}),
    ...(retries !== 0 ? { Retries: retries } : {}),
  };
}

function hostConfig({ flags, cwd, readFile }: CreateInput, mode: string): Partial<HostConfig> {
  const list = (name: string): string[] | null => orNull(flags.list(name));
  const security = parseSecurity(flags.list('security-opt'), readFile);
  const mounts = flags.list('mount').map((text) => parseMount(text, cwd));
  const maps = { Annotations: 'annotation', StorageOpt: 'storage-opt', Sysctls: 'sysctl' } as const;
  const optional = Object.entries(maps).filter(([, name]) => flags.has(name));
  return {
    ContainerIDFile: flags.text('cidfile'),
    LogConfig: parseLogging(flags.text('log-driver'), flags.list('log-opt')),
    NetworkMode: mode,
    RestartPolicy: parseRestart(flags.text('restart')),
    AutoRemove: flags.bool('rm'),
    VolumeDriver: flags.text('volume-driver'),
    VolumesFrom: list('volumes-from'),
    ConsoleSize: [0, 0],
    CapAdd: parseCapabilities(flags.list('cap-add')),
    CapDrop: parseCapabilities(flags.list('cap-drop')),
    CgroupnsMode: flags.text('cgroupns'),
    Dns: flags.list('dns').map((address) => address.trim()),
    DnsOptions: [...flags.list('dns-option'), ...flags.list('dns-opt')],
    DnsSearch: flags.list('dns-search'),
    ExtraHosts: orNull(flags.list('add-host').map(parseExtraHost)),
    GroupAdd: list('group-add'),
    IpcMode: flags.text('ipc'),
    Cgroup: '',
    Links: list('link'),
    OomScoreAdj: flags.number('oom-score-adj'),
    PidMode: flags.text('pid'),
    Privileged: flags.bool('privileged'),
    PublishAllPorts: flags.bool('publish-all'),
    ReadonlyRootfs: flags.bool('read-only'),
    SecurityOpt: security.options,
    ...(flags.has('tmpfs') ? { Tmpfs: parseTmpfs(flags.list('tmpfs')) } : {}),
    UTSMode: flags.text('uts'),
    UsernsMode: flags.text('userns'),
    ShmSize: bytesOf(flags, 'shm-size'),
    ...(flags.text('runtime') !== '' ? { Runtime: flags.text('runtime') } : {}),
    Isolation: flags.text('isolation'),
    ...resources(flags),
    ...(mounts.length > 0 ? { Mounts: mounts } : {}),
    MaskedPaths: security.maskedPaths,
    ReadonlyPaths: security.readonlyPaths,
    ...(flags.has('init') ? { Init: flags.bool('init') } : {}),
    ...Object.fromEntries(optional.map(([field, name]) => [field, keyValues(flags.list(name))])),
  };
}

function resources(flags: Flags): Resources {
  return {
    CpuShares: flags.number('cpu-shares'),
    Memory: bytesOf(flags, 'memory'),
    NanoCpus: flags.has('cpus') ? parseCpus(flags.text('cpus')) : 0,
    CgroupParent: flags.text('cgroup-parent'),
    BlkioWeight: flags.number('blkio-weight'),
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: flags.number('cpu-period'),
    CpuQuota: flags.number('cpu-quota'),
    CpuRealtimePeriod: flags.number('cpu-rt-period'),
    CpuRealtimeRuntime: flags.number('cpu-rt-runtime'),
    CpusetCpus: flags.text('cpuset-cpus'),
    CpusetMems: flags.text('cpuset-mems'),
    Devices: flags.list('device').map(parseDevice),
    DeviceCgroupRules: orNull(flags.list('device-cgroup-rule')),
    DeviceRequests: null,
    MemoryReservation: bytesOf(flags, 'memory-reservation'),
    MemorySwap: flags.has('memory-swap') ? parseSwap(flags.text('memory-swap')) : 0,
    MemorySwappiness: Number(flags.text('memory-swappiness')),
    OomKillDisable: flags.bool('oom-kill-disable'),
    PidsLimit: flags.number('pids-limit'),
    Ulimits: flags.list('ulimit').map(parseUlimit),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}
