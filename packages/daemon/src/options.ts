/**
 * The daemon's options: one table for the flags, the configuration file, `--help` and validation. Names are dockerd's
 * where dockerd has the option. Pure data.
 */

/** Raw values by key, from flags or file; keys that were not given are absent. */
export type RawOptions = Readonly<Record<string, unknown>>;

export type OptionKind = 'text' | 'list' | 'map' | 'switch' | 'number';

export interface DaemonOption {
  /** Key in the configuration file; the flag is the same with `--`, unless `flag` says otherwise. */
  key: string;
  kind: OptionKind;
  /** Flag name without dashes, where dockerd's differs from the key (lists are singular there). */
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
  list('hosts', 'host', 'URL', 'address to listen on: unix://PATH, or tcp://ADDRESS:PORT with --tlsverify', {
    short: 'H',
  }),
  text('data-root', '/var/lib/netyard', 'DIR', 'directory of persistent data: images, containers, volumes, state'),
  text('exec-root', '/run/netyard', 'DIR', 'directory of runtime state, lost at reboot'),
  text('pidfile', '', 'FILE', 'file for the daemon’s process id (default EXEC-ROOT/netyard.pid)'),
  text('group', '', 'GROUP', 'group of the unix socket (default docker, else netyard, else root)', { short: 'G' }),
  text('containerd', '', 'SOCKET', 'socket of a running containerd (default: start one)'),
  text('containerd-namespace', 'netyard', 'NAME', 'containerd namespace'),
  text('default-runtime', '', 'NAME', 'OCI runtime: crun or runc (default: crun if it works on this host)'),
  text('cgroup-parent', '/netyard', 'PATH', 'parent cgroup of containers'),
  toggle('init', false, 'run an init in every container that forwards signals and reaps processes'),
  toggle('live-restore', true, 'keep containers running when the daemon ends'),
  text('bip', '172.17.0.1/16', 'CIDR', 'address and subnet of the default bridge'),
  text('fixed-cidr', '', 'CIDR', 'part of the default bridge’s subnet to allocate addresses from'),
  text('default-gateway', '', 'ADDRESS', 'IPv4 gateway of its containers, in its subnet (default the bridge itself)'),
  toggle('ipv6', false, 'IPv6 on the default bridge'),
  text('bip6', '', 'CIDR', 'IPv6 address and subnet of the default bridge'),
  text('fixed-cidr-v6', '', 'CIDR', 'IPv6 subnet of the default bridge, or with --bip6 the part to allocate from'),
  text(
    'default-gateway-v6',
    '',
    'ADDRESS',
    'IPv6 gateway of its containers, in its subnet (default the bridge itself)',
  ),
  text('bridge', '', 'NAME', 'interface of the default bridge (default docker0)', { short: 'b' }),
  list(
    'default-address-pools',
    'default-address-pool',
    'base=CIDR,size=BITS',
    'pool of subnets for networks created without --subnet (replaces the predefined ones)',
  ),
  list(
    'default-network-opts',
    'default-network-opt',
    'DRIVER=OPTION=VALUE',
    'option of new networks of a driver, unless network create sets it',
  ),
  toggle('icc', true, 'allow traffic between containers on the default bridge'),
  text('ip', '0.0.0.0', 'ADDRESS', 'default host address of published ports'),
  toggle('ip-forward', true, 'enable net.ipv4.ip_forward'),
  toggle(
    'ip-forward-no-drop',
    false,
    'do not drop forwarding between other interfaces when the daemon enables ip_forward',
  ),
  toggle('foreign-firewall', true, 'accept containers’ packets in other firewalls’ forward chains that drop'),
  toggle(
    'tunnel-firewall',
    true,
    'pass packets of tunnels to peers through the firewall (false: faster, with any source address)',
  ),
  text(
    'repair-containers',
    'auto',
    'WHEN',
    'undo changes inside containers: always, never, or auto (without CAP_NET_ADMIN)',
  ),
  toggle('ip-masq', true, 'masquerade containers’ addresses outside of the host'),
  { key: 'mtu', kind: 'number', value: 'BYTES', default: 0, help: 'MTU of container interfaces (0: the uplink’s)' },
  {
    ...{ key: 'ports-per-bridge', kind: 'number', value: 'COUNT', default: 128 },
    help: 'containers of a network on one bridge before it gets another one, up to 512 (0: one bridge for all)',
  },
  list(
    'host-gateway-ips',
    'host-gateway-ip',
    'ADDRESS',
    'what host-gateway in --add-host stands for, one address per family (default the default bridge)',
  ),
  list('dns', 'dns', 'ADDRESS', 'DNS server for containers'),
  list('dns-search', 'dns-search', 'DOMAIN', 'DNS search domain for containers'),
  list('dns-opts', 'dns-opt', 'OPTION', 'resolv.conf option for containers'),
  list(
    'peers',
    'peer',
    'NAME=ADDRESS,SUBNET…',
    'another host whose containers can reach those of this one (see netyard peer)',
  ),
  toggle(
    'cluster-publish-names',
    false,
    'publish container names in the cluster, unless a container’s label says otherwise',
  ),
  text('cluster', '', 'URL', 'etcd of the cluster to join: etcd://[USER:PASSWORD@]HOST[:PORT][,HOST…][/NAME]'),
  text('cluster-ca', '', 'FILE', 'use TLS with etcd; CA certificates for its server certificate'),
  text('cluster-cert', '', 'FILE', 'this host’s client certificate for etcd'),
  text('cluster-key', '', 'FILE', 'its key'),
  text(
    'cluster-subnet',
    '',
    'CIDR',
    'pool of all hosts’ subnets (default the cluster’s; 192.168.0.0/16 for a new one)',
  ),
  {
    key: 'cluster-subnet-size',
    kind: 'number',
    value: 'BITS',
    default: 0,
    help: 'prefix length of one host’s subnet (0: the cluster’s; 24 for a new one)',
  },
  text('cluster-host-name', '', 'NAME', 'this host’s name in the cluster (default its hostname)'),
  text(
    'cluster-address',
    '',
    'ADDRESS',
    'address, IPv4 or IPv6, at which other hosts reach this one (default its IPv4 address towards etcd)',
  ),
  text('cluster-api-ca', '', 'FILE', 'for captures on other hosts: CA certificates for their --tlscert'),
  text('cluster-api-cert', '', 'FILE', 'for captures on other hosts: client certificate, trusted by their --tlscacert'),
  text(
    'cluster-api-key',
    '',
    'FILE',
    'for captures on other hosts: key of the client certificate, readable by root only',
  ),
  {
    key: 'cluster-lease',
    kind: 'number',
    value: 'SECONDS',
    default: 30,
    help: 'how long this host stays a member without contact to etcd',
  },
  {
    key: 'cluster-reservation',
    kind: 'number',
    value: 'SECONDS',
    default: 86_400,
    help: 'how long its subnet is reserved for it beyond that',
  },
  list(
    'insecure-registries',
    'insecure-registry',
    'HOST',
    'registry, or a CIDR of registries, to use without verified TLS',
  ),
  text('metrics-addr', '', 'ADDRESS', 'serve metrics for Prometheus at HOST:PORT, such as 127.0.0.1:9323'),
  text('web', '', 'ADDRESS', 'serve the topology page at HOST:PORT, such as 127.0.0.1:7420 (see netyard web)'),
  toggle('web-actions', false, 'allow packet captures and traces on the topology page'),
  toggle('tls', false, 'use TLS on tcp (implied by --tlsverify)'),
  toggle('tlsverify', false, 'require client certificates signed by --tlscacert'),
  text('tlscacert', '', 'FILE', 'CA certificates for client certificates'),
  text('tlscert', '', 'FILE', 'server certificate'),
  text('tlskey', '', 'FILE', 'key of the server certificate'),
  {
    key: 'max-archive-entries',
    kind: 'number',
    value: 'COUNT',
    default: 10_000_000,
    help: 'maximum number of tar headers in an archive of cp, load, import or a layer',
  },
  {
    key: 'max-image-archive-files',
    kind: 'number',
    value: 'COUNT',
    default: 100_000,
    help: 'maximum number of files in an archive of load',
  },
  text('max-archive-size', '0', 'BYTES', 'maximum unpacked size of an archive, such as 20g (0: free disk space)'),
  {
    key: 'max-archive-ratio',
    kind: 'number',
    value: 'FACTOR',
    default: 0,
    help: 'maximum unpacked bytes per transferred byte of an archive above 1 MiB (0: no limit)',
  },
  list('labels', 'label', 'KEY=VALUE', 'label of this daemon, shown by docker info'),
  text('log-driver', 'json-file', 'DRIVER', 'default log driver: json-file, local or none'),
  {
    key: 'log-opts',
    flag: 'log-opt',
    kind: 'map',
    value: 'NAME=VALUE',
    default: {},
    help: 'option of the log driver, such as max-size=10m',
  },
  text(
    'journal-size',
    '8m',
    'BYTES',
    'size of the journal of network changes and repairs (0: none; see netyard journal)',
  ),
  {
    key: 'journal-age',
    kind: 'number',
    value: 'SECONDS',
    default: 604_800,
    help: 'how long its entries are kept',
  },
  text('default-shm-size', '64m', 'BYTES', 'size of containers’ /dev/shm'),
  {
    key: 'shutdown-timeout',
    kind: 'number',
    value: 'SECONDS',
    default: 10,
    help: 'timeout for stopping containers',
  },
  { key: 'debug', kind: 'switch', short: 'D', default: false, help: 'set the log level to debug' },
  text('log-level', 'info', 'LEVEL', 'log level: debug, info, warn, error or fatal', { short: 'l' }),
  text('log-format', 'text', 'FORMAT', 'log format: text or json'),
];

export const flagOf = (option: DaemonOption): string => option.flag ?? option.key;
