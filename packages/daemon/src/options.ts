/**
 * The daemon's options: one table that the flags, the configuration file, `--help` and the checks are made from.
 * Names are dockerd's where dockerd has the option. Pure data.
 */

/** Raw values by key, as flags or file gave them; a key that was not given is not there. */
export type RawOptions = Readonly<Record<string, unknown>>;

export type OptionKind = 'text' | 'list' | 'map' | 'switch' | 'number';

export interface DaemonOption {
  /** Key in the configuration file; the flag is the same with `--`, unless `flag` says otherwise. */
  key: string;
  kind: OptionKind;
  /** Flag's name without dashes, where dockerd's differs from the key (lists are singular there). */
  flag?: string;
  short?: string;
  /** What `--help` shows for the value. */
  value?: string;
  /** For `map`: an object in the file, `NAME=VALUE` flags on the command line. */
  default: string | readonly string[] | Readonly<Record<string, string>> | boolean | number;
  help: string;
}

const text = (
  key: string,
  fallback: string,
  value: string,
  help: string,
  more: Partial<DaemonOption> = {},
): DaemonOption => ({
  key,
  kind: 'text',
  value,
  default: fallback,
  help,
  ...more,
});
const list = (
  key: string,
  flag: string,
  value: string,
  help: string,
  more: Partial<DaemonOption> = {},
): DaemonOption => ({
  key,
  kind: 'list',
  flag,
  value,
  default: [],
  help,
  ...more,
});
const toggle = (key: string, fallback: boolean, help: string): DaemonOption => ({
  key,
  kind: 'switch',
  default: fallback,
  help,
});

export const daemonOptions: readonly DaemonOption[] = [
  list('hosts', 'host', 'URL', 'where to listen: unix://PATH, or tcp://ADDRESS:PORT with --tlsverify', { short: 'H' }),
  text('data-root', '/var/lib/netyard', 'DIR', 'images, containers, volumes, what is wanted'),
  text('exec-root', '/run/netyard', 'DIR', 'what lives as long as the machine is up'),
  text('pidfile', '', 'FILE', 'file for the daemon’s process id (default EXEC-ROOT/netyard.pid)'),
  text('group', '', 'GROUP', 'group of the unix socket (default docker, else netyard, else root)', { short: 'G' }),
  text('containerd', '', 'SOCKET', 'a running containerd; without it the daemon starts one of its own'),
  text('containerd-namespace', 'netyard', 'NAME', 'namespace in containerd'),
  text('default-runtime', '', 'NAME', 'crun or runc (default: crun where it works on this host)'),
  text('cgroup-parent', '/netyard', 'PATH', 'parent of the containers’ cgroups'),
  toggle('init', false, 'an init in every container that forwards signals and reaps'),
  toggle('live-restore', true, 'containers go on when the daemon ends'),
  text('bip', '172.17.0.1/16', 'CIDR', 'address and subnet of the default bridge'),
  text('fixed-cidr', '', 'CIDR', 'part of the default bridge’s subnet that addresses are given from'),
  text('bridge', '', 'NAME', 'interface of the default bridge (default docker0)', { short: 'b' }),
  toggle('icc', true, 'containers of the default bridge may talk to each other'),
  text('ip', '0.0.0.0', 'ADDRESS', 'address that ports are published on when -p names none'),
  toggle('ip-forward', true, 'switch net.ipv4.ip_forward on'),
  toggle('ip-forward-no-drop', false, 'let the host route between its other links, where the daemon switched it on'),
  toggle('foreign-firewall', true, 'accept containers’ packets in forward chains of other firewalls that drop'),
  text(
    'repair-containers',
    'auto',
    'WHEN',
    'undo changes inside containers: always, never, or auto (without CAP_NET_ADMIN)',
  ),
  toggle('ip-masq', true, 'hide containers’ addresses behind the host’s outside'),
  { key: 'mtu', kind: 'number', value: 'BYTES', default: 0, help: 'MTU of containers’ links (0: the uplink’s)' },
  list('dns', 'dns', 'ADDRESS', 'name server for containers'),
  list('dns-search', 'dns-search', 'DOMAIN', 'search domain for containers'),
  list('dns-opts', 'dns-opt', 'OPTION', 'resolv.conf option for containers'),
  list(
    'peers',
    'peer',
    'NAME=ADDRESS,SUBNET…',
    'another host whose containers reach those of this one (see netyard peer)',
  ),
  toggle('cluster-publish-names', false, 'publish names of containers that say nothing about it to the cluster'),
  text('cluster', '', 'URL', 'join the hosts of an etcd: etcd://[USER:PASSWORD@]HOST[:PORT][,HOST…][/NAME]'),
  text('cluster-ca', '', 'FILE', 'speak TLS to etcd; certificates of the authorities that sign its own'),
  text('cluster-cert', '', 'FILE', 'this host’s certificate for etcd'),
  text('cluster-key', '', 'FILE', 'its key'),
  text('cluster-subnet', '', 'CIDR', 'pool of all hosts’ subnets (default the cluster’s; of a new one 192.168.0.0/16)'),
  {
    key: 'cluster-subnet-size',
    kind: 'number',
    value: 'BITS',
    default: 0,
    help: 'prefix length of one host’s subnet (0: the cluster’s; of a new one 24)',
  },
  text('cluster-host-name', '', 'NAME', 'this host’s name in the cluster (default its hostname)'),
  text('cluster-address', '', 'ADDRESS', 'where the others reach this host (default its address on the way to etcd)'),
  text('cluster-api-ca', '', 'FILE', 'for captures on other hosts: the authorities that sign their --tlscert'),
  text('cluster-api-cert', '', 'FILE', 'the certificate to show there; their --tlscacert signs it'),
  text('cluster-api-key', '', 'FILE', 'its key, readable by root only'),
  {
    key: 'cluster-lease',
    kind: 'number',
    value: 'SECONDS',
    default: 30,
    help: 'how long this host stays a member when etcd hears nothing of it',
  },
  {
    key: 'cluster-reservation',
    kind: 'number',
    value: 'SECONDS',
    default: 86_400,
    help: 'how long its subnet is kept for it beyond that',
  },
  list('insecure-registries', 'insecure-registry', 'HOST', 'registry, or its CIDR, that may be spoken to without TLS'),
  toggle('tls', false, 'TLS on tcp (implied by --tlsverify)'),
  toggle('tlsverify', false, 'let only clients in that have a certificate of --tlscacert'),
  text('tlscacert', '', 'FILE', 'certificates of the authorities that sign clients'),
  text('tlscert', '', 'FILE', 'the daemon’s certificate'),
  text('tlskey', '', 'FILE', 'the daemon’s key'),
  {
    key: 'max-archive-entries',
    kind: 'number',
    value: 'COUNT',
    default: 10_000_000,
    help: 'tar headers that an archive of cp, load, import or a layer may have',
  },
  {
    key: 'max-image-archive-files',
    kind: 'number',
    value: 'COUNT',
    default: 100_000,
    help: 'files that an archive of load may have',
  },
  text('max-archive-size', '0', 'BYTES', 'what an archive may expand to, such as 20g (0: what the disk has)'),
  {
    key: 'max-archive-ratio',
    kind: 'number',
    value: 'FACTOR',
    default: 0,
    help: 'what an archive above 1 MiB may expand to, for each byte that is sent (0: any)',
  },
  list('labels', 'label', 'KEY=VALUE', 'label of this daemon, for docker info'),
  text('log-driver', 'json-file', 'DRIVER', 'where containers’ output goes: json-file or none'),
  {
    key: 'log-opts',
    flag: 'log-opt',
    kind: 'map',
    value: 'NAME=VALUE',
    default: {},
    help: 'option of the log driver, such as max-size=10m',
  },
  text('default-shm-size', '64m', 'BYTES', 'size of containers’ /dev/shm'),
  {
    key: 'shutdown-timeout',
    kind: 'number',
    value: 'SECONDS',
    default: 10,
    help: 'patience when containers are stopped',
  },
  { key: 'debug', kind: 'switch', short: 'D', default: false, help: 'log level debug' },
  text('log-level', 'info', 'LEVEL', 'debug, info, warn, error or fatal', { short: 'l' }),
  text('log-format', 'text', 'FORMAT', 'text or json'),
];

export const flagOf = (option: DaemonOption): string => option.flag ?? option.key;
