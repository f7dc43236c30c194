/** The flags that `run` and `create` share, as a table. */
import type { FlagSpec } from '../program/flags.ts';
import { parseBytes, parseCpus, parseDuration, parseSwap } from '../program/values.ts';
import { parseSysctl } from './host-resources.ts';
import { parseDnsSearch, parseExtraHost, parseIpAddress, parseLink } from './hosts.ts';
import { parseMount } from './mounts.ts';
import { parseNetwork } from './network.ts';
import { parseUlimit } from './ulimit.ts';

const text = (name: string, help: string, more: Partial<FlagSpec> = {}): FlagSpec => ({
  name,
  type: 'string',
  help,
  ...more,
});
const list = (name: string, help: string, more: Partial<FlagSpec> = {}): FlagSpec => ({
  name,
  type: 'list',
  help,
  ...more,
});
const bool = (name: string, help: string, more: Partial<FlagSpec> = {}): FlagSpec => ({
  name,
  type: 'bool',
  help,
  ...more,
});
const int = (name: string, help: string, more: Partial<FlagSpec> = {}): FlagSpec => ({
  name,
  type: 'int',
  help,
  ...more,
});
const bytes = (name: string, help: string, more: Partial<FlagSpec> = {}): FlagSpec => ({
  name,
  type: 'bytes',
  help,
  check: parseBytes,
  ...more,
});
const duration = (name: string, help: string): FlagSpec => ({
  name,
  type: 'duration',
  help,
  default: '0s',
  check: parseDuration,
});

export const createFlags: readonly FlagSpec[] = [
  list('add-host', 'Add a custom host-to-IP mapping (host:ip)', { check: parseExtraHost }),
  { name: 'annotation', type: 'map', help: 'Add an annotation to the container (passed through to the OCI runtime)' },
  list('attach', 'Attach to STDIN, STDOUT or STDERR', { short: 'a', check: checkAttach }),
  {
    name: 'blkio-weight',
    type: 'uint16',
    help: 'Block IO (relative weight), between 10 and 1000, or 0 to disable',
    default: '0',
  },
  list('cap-add', 'Add Linux capabilities'),
  list('cap-drop', 'Drop Linux capabilities'),
  text('cgroup-parent', 'Optional parent cgroup for the container'),
  text('cgroupns', 'Cgroup namespace to use (host|private)'),
  text('cidfile', 'Write the container ID to the file'),
  int('cpu-period', 'Limit CPU CFS (Completely Fair Scheduler) period'),
  int('cpu-quota', 'Limit CPU CFS (Completely Fair Scheduler) quota'),
  int('cpu-rt-period', 'Limit CPU real-time period in microseconds'),
  int('cpu-rt-runtime', 'Limit CPU real-time runtime in microseconds'),
  int('cpu-shares', 'CPU shares (relative weight)', { short: 'c' }),
  { name: 'cpus', type: 'decimal', help: 'Number of CPUs', check: parseCpus },
  text('cpuset-cpus', 'CPUs in which to allow execution (0-3, 0,1)'),
  text('cpuset-mems', 'MEMs in which to allow execution (0-3, 0,1)'),
  list('device', 'Add a host device to the container'),
  list('device-cgroup-rule', 'Add a rule to the cgroup allowed devices list', { check: checkDeviceRule }),
  bool('disable-content-trust', 'Skip image verification', { default: 'true', hidden: true }),
  list('dns', 'Set custom DNS servers', { check: parseIpAddress }),
  list('dns-option', 'Set DNS options'),
  list('dns-opt', 'Set DNS options', { hidden: true }),
  list('dns-search', 'Set custom DNS search domains', { check: parseDnsSearch }),
  text('domainname', 'Container NIS domain name'),
  text('entrypoint', 'Overwrite the default ENTRYPOINT of the image'),
  list('env', 'Set environment variables', { short: 'e', check: checkVariable }),
  list('env-file', 'Read in a file of environment variables'),
  list('expose', 'Expose a port or a range of ports'),
  list('group-add', 'Add additional groups to join'),
  text('health-cmd', 'Command to run to check health'),
  duration('health-interval', 'Time between running the check (ms|s|m|h)'),
  int('health-retries', 'Consecutive failures needed to report unhealthy'),
  duration('health-start-interval', 'Time between running the check during the start period (ms|s|m|h)'),
  duration(
    'health-start-period',
    'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)',
  ),
  duration('health-timeout', 'Maximum time to allow one check to run (ms|s|m|h)'),
  text('hostname', 'Container host name', { short: 'h' }),
  bool('init', 'Run an init inside the container that forwards signals and reaps processes'),
  bool('interactive', 'Keep STDIN open even if not attached', { short: 'i' }),
  text('ip', 'IPv4 address (e.g., 172.30.100.104)'),
  text('ip6', 'IPv6 address (e.g., 2001:db8::33)'),
  text('ipc', 'IPC mode to use'),
  text('isolation', 'Container isolation technology', { hidden: true }),
  bytes('kernel-memory', 'Kernel memory limit', { hidden: true }),
  list('label', 'Set meta data on a container', { short: 'l', check: checkLabel }),
  list('label-file', 'Read in a line delimited file of labels'),
  list('link', 'Add link to another container', { check: parseLink, complete: 'running' }),
  list('link-local-ip', 'Container IPv4/IPv6 link-local addresses'),
  text('log-driver', 'Logging driver for the container', { complete: ['json-file', 'none'] }),
  list('log-opt', 'Log driver options'),
  text('mac-address', 'Container MAC address (e.g., 92:d0:c6:0a:29:33)'),
  bytes('memory', 'Memory limit', { short: 'm' }),
  bytes('memory-reservation', 'Memory soft limit'),
  bytes('memory-swap', "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", { check: parseSwap }),
  int('memory-swappiness', 'Tune container memory swappiness (0 to 100)', { default: '-1' }),
  {
    name: 'mount',
    type: 'mount',
    help: 'Attach a filesystem mount to the container',
    check: (value) => parseMount(value, '/'),
  },
  text('name', 'Assign a name to the container'),
  {
    ...{ name: 'network', type: 'network', help: 'Connect a container to a network' },
    ...{ check: parseNetwork, complete: 'networks' },
  },
  list('network-alias', 'Add network-scoped alias for the container'),
  bool('no-healthcheck', 'Disable any container-specified HEALTHCHECK'),
  bool('oom-kill-disable', 'Disable OOM Killer'),
  int('oom-score-adj', "Tune host's OOM preferences (-1000 to 1000)"),
  text('pid', 'PID namespace to use'),
  int('pids-limit', 'Tune container pids limit (set -1 for unlimited)'),
  text('platform', 'Set platform if server is multi-platform capable'),
  bool('privileged', 'Give extended privileges to this container'),
  list('publish', "Publish a container's port(s) to the host", { short: 'p' }),
  bool('publish-all', 'Publish all exposed ports to random ports', { short: 'P' }),
  bool('publish-name', "Let the other hosts of the cluster resolve the container's name"),
  text('pull', 'Pull image before creating ("always", "missing", "never")', {
    default: 'missing',
    complete: ['always', 'missing', 'never'],
  }),
  bool('quiet', 'Suppress the pull output', { short: 'q' }),
  bool('read-only', "Mount the container's root filesystem as read only"),
  text('restart', 'Restart policy to apply when a container exits', {
    default: 'no',
    complete: ['no', 'on-failure', 'always', 'unless-stopped'],
  }),
  bool('rm', 'Automatically remove the container and its associated anonymous volumes when it exits'),
  text('runtime', 'Runtime to use for this container'),
  list('security-opt', 'Security Options'),
  bytes('shm-size', 'Size of /dev/shm'),
  text('stop-signal', 'Signal to stop the container'),
  int('stop-timeout', 'Timeout (in seconds) to stop a container'),
  list('storage-opt', 'Storage driver options for the container'),
  { name: 'sysctl', type: 'map', help: 'Sysctl options', check: parseSysctl },
  list('tmpfs', 'Mount a tmpfs directory'),
  bool('tty', 'Allocate a pseudo-TTY', { short: 't' }),
  { name: 'ulimit', type: 'ulimit', help: 'Ulimit options', check: parseUlimit },
  text('user', 'Username or UID (format: <name|uid>[:<group|gid>])', { short: 'u' }),
  text('userns', 'User namespace to use'),
  text('uts', 'UTS namespace to use'),
  list('volume', 'Bind mount a volume', { short: 'v' }),
  text('volume-driver', 'Optional volume driver for the container'),
  list('volumes-from', 'Mount volumes from the specified container(s)', { complete: 'containers' }),
  text('workdir', 'Working directory inside the container', { short: 'w' }),
];

function checkAttach(value: string): void {
  if (!['stdin', 'stdout', 'stderr'].includes(value.toLowerCase())) {
    throw new Error('valid streams are STDIN, STDOUT and STDERR');
  }
}

function checkVariable(value: string): void {
  if (value === '' || value.startsWith('=')) throw new Error(`invalid environment variable: ${value}`);
}

function checkLabel(value: string): void {
  if (value.startsWith('=')) throw new Error(`invalid label '${value}': empty name`);
}

function checkDeviceRule(value: string): void {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value)) {
    throw new Error(`invalid device cgroup format '${value}'`);
  }
}
