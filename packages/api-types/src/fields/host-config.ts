/** HostConfig of a container: its settings that depend on the host. */
import { boolFlag, bytesFlag, flagOf, intFlag, listFlag, mapFlag, stringFlag } from './flags.ts';
import { linksWith } from './links.ts';
import { mount } from './mount.ts';
import { resources, restartField } from './resources.ts';
import { anything, flag, list, map, none, object, size, text, whole, zero } from './shape.ts';

export const portBinding = object({ HostIp: zero(text, { required: true }), HostPort: zero(text, { required: true }) });
/** Key: `80/tcp`. */
export const portMap = map(list(portBinding));

export const logConfig = object({
  Type: zero(text, {
    required: true,
    flags: [stringFlag('log-driver', 'Logging driver for the container', { complete: ['json-file', 'local', 'none'] })],
    remark: 'json-file, local, none',
  }),
  Config: zero(map(text), { emptyAsValue: true, flags: [listFlag('log-opt', 'Log driver options')] }),
});

const network = flagOf('network', 'network', 'Connect a container to a network', { complete: 'networks' });
const dns = {
  Dns: zero(list(text), { emptyAsValue: true, flags: [listFlag('dns', 'Set custom DNS servers')] }),
  DnsOptions: zero(list(text), {
    emptyAsValue: true,
    flags: [listFlag('dns-option', 'Set DNS options'), listFlag('dns-opt', 'Set DNS options', { hidden: true })],
  }),
  DnsSearch: zero(list(text), { emptyAsValue: true, flags: [listFlag('dns-search', 'Set custom DNS search domains')] }),
} as const;

const namespaces = {
  CgroupnsMode: zero(text, { since: 41, flags: [stringFlag('cgroupns', 'Cgroup namespace to use (host|private)')] }),
  IpcMode: zero(text, { flags: [stringFlag('ipc', 'IPC mode to use')] }),
  PidMode: zero(text, { flags: [stringFlag('pid', 'PID namespace to use')] }),
  UTSMode: zero(text, { flags: [stringFlag('uts', 'UTS namespace to use')] }),
  UsernsMode: zero(text, { flags: [stringFlag('userns', 'User namespace to use')], remark: 'host' }),
} as const;

const security = {
  CapAdd: zero(list(text), { flags: [listFlag('cap-add', 'Add Linux capabilities')] }),
  CapDrop: zero(list(text), { flags: [listFlag('cap-drop', 'Drop Linux capabilities')] }),
  Privileged: zero(flag, { flags: [boolFlag('privileged', 'Give extended privileges to this container')] }),
  SecurityOpt: zero(list(text), {
    flags: [listFlag('security-opt', 'Security Options')],
    remark: 'seccomp, no-new-privileges, systempaths, apparmor; label with a warning: there is no SELinux support',
  }),
  MaskedPaths: none(list(text), { also: ['security-opt'] }),
  ReadonlyPaths: none(list(text), { also: ['security-opt'] }),
} as const;

const storage = {
  Binds: zero(list(text), { flags: [listFlag('volume', 'Bind mount a volume', { short: 'v' })] }),
  Mounts: zero(list(mount), {
    omitEmpty: true,
    flags: [flagOf('mount', 'mount', 'Attach a filesystem mount to the container')],
    also: ['use-api-socket'],
  }),
  ReadonlyRootfs: zero(flag, {
    flags: [boolFlag('read-only', "Mount the container's root filesystem as read only")],
  }),
  ShmSize: zero(whole, { flags: [bytesFlag('shm-size', 'Size of /dev/shm')] }),
  StorageOpt: zero(map(text), {
    omitEmpty: true,
    flags: [listFlag('storage-opt', 'Storage driver options for the container')],
    status: {
      rejected: "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
      code: 'not-implemented',
      hint: 'Netyard sets no quota on a container’s writable layer',
    },
  }),
  Tmpfs: zero(map(text), { omitEmpty: true, flags: [listFlag('tmpfs', 'Mount a tmpfs directory')] }),
  VolumeDriver: zero(text, {
    flags: [stringFlag('volume-driver', 'Optional volume driver for the container')],
    remark: 'for volumes of -v; local',
  }),
  VolumesFrom: zero(list(text), {
    flags: [listFlag('volumes-from', 'Mount volumes from the specified container(s)', { complete: 'containers' })],
  }),
} as const;

export const hostConfig = {
  ...resources,
  ...restartField,
  ...dns,
  ...namespaces,
  ...security,
  ...storage,
  ContainerIDFile: zero(text, { flags: [stringFlag('cidfile', 'Write the container ID to the file')] }),
  LogConfig: none(logConfig),
  NetworkMode: zero(text, { flags: [network] }),
  PortBindings: zero(portMap, {
    emptyAsValue: true,
    flags: [listFlag('publish', "Publish a container's port(s) to the host", { short: 'p' })],
  }),
  PublishAllPorts: zero(flag, {
    flags: [boolFlag('publish-all', 'Publish all exposed ports to random ports', { short: 'P' })],
  }),
  AutoRemove: zero(flag, {
    flags: [boolFlag('rm', 'Automatically remove the container and its associated anonymous volumes when it exits')],
  }),
  ConsoleSize: none(size, { since: 42, remark: 'of the terminal at start' }),
  Annotations: zero(map(text), {
    omitEmpty: true,
    since: 43,
    flags: [mapFlag('annotation', 'Add an annotation to the container (passed through to the OCI runtime)')],
  }),
  Cgroup: zero(text, { status: { ignored: 'Docker keeps it and does nothing with it' } }),
  ExtraHosts: zero(list(text), { flags: [listFlag('add-host', 'Add a custom host-to-IP mapping (host:ip)')] }),
  GroupAdd: zero(list(text), { flags: [listFlag('group-add', 'Add additional groups to join')] }),
  ...linksWith({ flags: [listFlag('link', 'Add link to another container', { complete: 'running' })] }),
  OomScoreAdj: zero(whole, {
    flags: [intFlag('oom-score-adj', "Tune host's OOM preferences (-1000 to 1000)")],
  }),
  Sysctls: zero(map(text), { omitEmpty: true, flags: [mapFlag('sysctl', 'Sysctl options')] }),
  Runtime: zero(text, { omitEmpty: true, flags: [stringFlag('runtime', 'Runtime to use for this container')] }),
  Isolation: zero(text, {
    flags: [stringFlag('isolation', 'Container isolation technology', { hidden: true })],
    remark: 'default',
  }),
  Init: none(flag, {
    omitEmpty: true,
    flags: [boolFlag('init', 'Run an init inside the container that forwards signals and reaps processes')],
  }),
  Capabilities: zero(list(anything), {
    omitEmpty: true,
    status: {
      rejected:
        'the HostConfig.Capabilities field is not supported by this daemon; use CapAdd and CapDrop to set capabilities',
      code: 'invalid',
    },
  }),
} as const;

/** Ports to add to a container or to remove from it. */
export const portsRequest = { PortBindings: hostConfig.PortBindings } as const;
