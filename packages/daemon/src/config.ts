/**
 * Combines flags, configuration file and environment to one frozen value, or fails before anything is changed. The only
 * place in the daemon that reads the environment. Messages are dockerd's where it has one.
 */
import { isAbsolute } from 'node:path';
import { type ArchiveLimits, NetyardError, parseIp } from '@netyard/core';
import { checkSubnetPool, parseSubnetPool, type RepairPolicy, type SubnetPool } from '@netyard/network';
import { type PeerRequest, parsePeerText } from '@netyard/peers';
import { type BridgeConfig, planBridge } from './bridge-config.ts';
import { type ClusterConfig, planCluster } from './cluster-config.ts';
import { type ListenAddress, parseListenAddress, type TlsFiles } from './listen-address.ts';
import { type MetricsAddress, parseMetricsAddress } from './metrics-address.ts';
import { type DaemonOption, daemonOptions, flagOf, type RawOptions } from './options.ts';
import { planWeb, type WebConfig } from './web-address.ts';

export interface DaemonConfig extends BridgeConfig {
  hosts: readonly ListenAddress[];
  dataRoot: string;
  execRoot: string;
  pidfile: string;
  group: string;
  containerd: string;
  containerdNamespace: string;
  defaultRuntime: string;
  cgroupParent: string;
  init: boolean;
  liveRestore: boolean;
  /** Empty: the predefined ones. */
  defaultAddressPools: readonly SubnetPool[];
  defaultNetworkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
  icc: boolean;
  ip: string;
  ipForward: boolean;
  ipForwardNoDrop: boolean;
  foreignFirewall: boolean;
  tunnelFirewall: boolean;
  repairContainers: RepairPolicy;
  ipMasquerade: boolean;
  mtu: number;
  portsPerBridge: number;
  dns: readonly string[];
  dnsSearch: readonly string[];
  dnsOptions: readonly string[];
  peers: readonly PeerRequest[];
  /** With it, the cluster provides `bip`, unless one is given explicitly. */
  cluster: ClusterConfig | undefined;
  clusterPublishNames: boolean;
  insecureRegistries: readonly string[];
  tls: TlsFiles | undefined;
  /** The topology page. */
  web: WebConfig | undefined;
  metrics: MetricsAddress | undefined;
  archiveLimits: Readonly<ArchiveLimits>;
  /** Undefined: the daemon keeps none. Bytes and seconds. */
  journal: { maximumBytes: number; maximumAge: number } | undefined;
  labels: readonly string[];
  logDriver: 'json-file' | 'local' | 'none';
  logOptions: Readonly<Record<string, string>>;
  /** Bytes. */
  shmSize: number;
  shutdownTimeoutSeconds: number;
  logLevel: string;
  logFormat: 'text' | 'json';
  /** DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS=1 */
  legacyLinkEnvironment: boolean;
}

const invalid = (message: string, hint?: string): NetyardError =>
  new NetyardError('invalid', message, hint === undefined ? {} : { hint });

/** Parses the text of `--config-file`. Throws `invalid` for invalid JSON, unknown keys and wrong types. */
export function parseConfigFile(text: string, path: string): RawOptions {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`unable to configure the Netyard daemon with file ${path}: ${String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`unable to configure the Netyard daemon with file ${path}: it is not a JSON object`);
  }
  const entries = Object.entries(value);
  const unknown = entries.filter(([key]) => !daemonOptions.some((option) => option.key === key)).map(([key]) => key);
  if (unknown.length > 0) {
    throw invalid(
      `unable to configure the Netyard daemon with file ${path}: the following directives don't match any configuration option: ${unknown.join(', ')}`,
    );
  }
  for (const option of daemonOptions) {
    const given: unknown = entries.find(([key]) => key === option.key)?.[1];
    if (given !== undefined && !fits(option, given)) {
      throw invalid(`unable to configure the Netyard daemon with file ${path}: ${option.key} must be a ${option.kind}`);
    }
  }
  return Object.fromEntries(entries);
}

function fits(option: DaemonOption, value: unknown): boolean {
  if (option.key === 'default-address-pools') return Array.isArray(value) && value.every(isPoolLike);
  if (option.key === 'default-network-opts' && isMapOfMaps(value)) return true;
  if (option.kind === 'list') return Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (option.kind === 'switch') return typeof value === 'boolean';
  if (option.kind === 'map') return isTextMap(value);
  return typeof value === (option.kind === 'number' ? 'number' : 'string');
}

/** `base=CIDR,size=N`, or dockerd's form in its file: `{ "base": "CIDR", "size": N }`. */
const isPoolLike = (item: unknown): boolean => typeof item === 'string' || asPool(item) !== undefined;

function asPool(item: unknown): SubnetPool | undefined {
  if (typeof item !== 'object' || item === null || !('base' in item) || !('size' in item)) return undefined;
  const { base, size } = item;
  return typeof base === 'string' && typeof size === 'number' ? { base, size } : undefined;
}

function planSubnetPools(value: unknown): SubnetPool[] {
  return (value as readonly unknown[]).map((item) => {
    const pool = asPool(item);
    return pool ? checkSubnetPool(pool) : parseSubnetPool(String(item));
  });
}

function isTextMap(value: unknown): boolean {
  const values = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.values(value) : [0];
  return values.every((item) => typeof item === 'string');
}

const isMapOfMaps = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isTextMap);

type NetworkOptions = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `DRIVER=OPTION=VALUE`, or dockerd's form in its file: `{ "DRIVER": { "OPTION": "VALUE" } }`. */
function planNetworkOptions(value: unknown): NetworkOptions {
  if (!Array.isArray(value)) return value as NetworkOptions;
  const options: Record<string, Record<string, string>> = {};
  for (const text of value.map(String)) {
    const [driver = '', key = '', ...rest] = text.split('=');
    if (driver === '' || key === '' || rest.length === 0)
      throw invalid(`invalid value "${text}" for --default-network-opt: must be DRIVER=OPTION=VALUE`);
    options[driver] = { ...options[driver], [key]: rest.join('=') };
  }
  return options;
}

/** An option may be set in one place only, as in dockerd. */
function rejectDuplicateMounts(flags: RawOptions, file: RawOptions): void {
  const doubles = daemonOptions
    .filter((option) => flags[option.key] !== undefined && file[option.key] !== undefined)
    .map((option) => {
      const from = `(from flag: ${shown(flags[option.key])}, from file: ${shown(file[option.key])})`;
      return `${flagOf(option)}: ${from}`;
    });
  if (doubles.length === 0) return;
  throw invalid(
    `the following directives are specified both as a flag and in the configuration file: ${doubles.join(', ')}`,
  );
}

/** Masks the password of an address. */
const shown = (value: unknown): string => String(value).replace(/\/\/[^@/]*@/, '//…@');

/** Combines the three, checks every value and freezes the result. `env` is the process's environment. */
export function planConfig(
  flags: RawOptions,
  file: RawOptions,
  env: Readonly<Record<string, string | undefined>>,
): DaemonConfig {
  rejectDuplicateMounts(flags, file);
  const given: RawOptions = { ...file, ...flags };
  const value = (key: string): unknown =>
    given[key] ?? daemonOptions.find((option) => option.key === key)?.default ?? missingOption(key);
  const textOf = (key: string): string => String(value(key));
  const listOf = (key: string): readonly string[] => (value(key) as readonly string[]).map(String);
  const flagSet = (key: string): boolean => value(key) === true;
  const hosts = listOf('hosts').length > 0 ? listOf('hosts') : [`unix://${textOf('exec-root')}/netyard.sock`];
  const tls = planTls(flagSet('tls'), flagSet('tlsverify'), textOf('tlscacert'), textOf('tlscert'), textOf('tlskey'));
  const listening = hosts.map((host) => parseListenAddress(host, tls !== undefined));
  const config: DaemonConfig = {
    hosts: listening,
    dataRoot: absolute('data-root', textOf('data-root')),
    execRoot: absolute('exec-root', textOf('exec-root')),
    pidfile: textOf('pidfile') === '' ? `${textOf('exec-root')}/netyard.pid` : absolute('pidfile', textOf('pidfile')),
    group: textOf('group'),
    containerd: textOf('containerd').replace(/^unix:\/\//, ''),
    containerdNamespace: parseIdentifier('containerd-namespace', textOf('containerd-namespace')),
    defaultRuntime: textOf('default-runtime'),
    cgroupParent: absolute('cgroup-parent', textOf('cgroup-parent')),
    init: flagSet('init'),
    liveRestore: flagSet('live-restore'),
    ...planBridge(value, given),
    defaultAddressPools: planSubnetPools(value('default-address-pools')),
    defaultNetworkOptions: planNetworkOptions(value('default-network-opts')),
    icc: flagSet('icc'),
    ip: parseAddress('ip', textOf('ip')),
    ipForward: flagSet('ip-forward'),
    ipForwardNoDrop: flagSet('ip-forward-no-drop'),
    foreignFirewall: flagSet('foreign-firewall'),
    tunnelFirewall: flagSet('tunnel-firewall'),
    repairContainers: oneOf('repair-containers', textOf('repair-containers'), ['auto', 'always', 'never']),
    ipMasquerade: flagSet('ip-masq'),
    mtu: parseMtu(value('mtu')),
    portsPerBridge: parsePortsPerBridge(value('ports-per-bridge')),
    dns: listOf('dns').map((address) => parseAddress('dns', address)),
    dnsSearch: listOf('dns-search'),
    dnsOptions: listOf('dns-opts'),
    peers: listOf('peers').map(parsePeerText),
    cluster: planCluster(given, textOf('bip'), listening),
    clusterPublishNames: flagSet('cluster-publish-names'),
    insecureRegistries: listOf('insecure-registries'),
    tls,
    metrics: parseMetricsAddress(textOf('metrics-addr')),
    web: planWeb(textOf('web'), flagSet('web-actions'), tls),
    archiveLimits: planArchiveLimits(value),
    journal: planJournal(value),
    labels: listOf('labels').map(parseLabel),
    logDriver: oneOf('log-driver', textOf('log-driver'), ['json-file', 'local', 'none']),
    logOptions: value('log-opts') as Readonly<Record<string, string>>,
    shmSize: parseBytes('default-shm-size', textOf('default-shm-size')),
    shutdownTimeoutSeconds: parseSeconds('shutdown-timeout', value('shutdown-timeout')),
    logLevel: flagSet('debug')
      ? 'debug'
      : oneOf('log-level', textOf('log-level'), ['debug', 'info', 'warn', 'error', 'fatal']),
    logFormat: oneOf('log-format', textOf('log-format'), ['text', 'json']),
    legacyLinkEnvironment: env['DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS'] === '1',
  };
  return Object.freeze(config);
}

function missingOption(key: string): never {
  throw new TypeError(`no option ${key} in the table`);
}

function absolute(key: string, path: string): string {
  if (!isAbsolute(path) || path.includes('\0')) throw invalid(`--${key} must be an absolute path: ${path}`);
  return path === '/' ? path : path.replace(/\/+$/, '');
}

function oneOf<T extends string>(key: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === value);
  if (found === undefined) throw invalid(`invalid value "${value}" for --${key}: must be one of ${allowed.join(', ')}`);
  return found;
}

function parseIdentifier(key: string, value: string): string {
  if (!/^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/.test(value)) throw invalid(`invalid value "${value}" for --${key}`);
  return value;
}

function parseAddress(key: string, value: string): string {
  try {
    parseIp(value);
    return value;
  } catch (error) {
    throw new NetyardError('invalid', `invalid argument "${value}" for "--${key}": ${value} is not an ip address`, {
      cause: error,
    });
  }
}

function parseMtu(value: unknown): number {
  const mtu = Number(value);
  if (!Number.isInteger(mtu) || (mtu !== 0 && (mtu < 68 || mtu > 65535))) {
    throw invalid(`invalid value "${String(value)}" for --mtu: must be 0, or from 68 to 65535 bytes`);
  }
  return mtu;
}

/** The network's own bridge has a port for each other one, too: half of the kernel's 1023 are left for these. */
function parsePortsPerBridge(value: unknown): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 0 && count <= 512) return count;
  throw invalid(`invalid value "${String(value)}" for --ports-per-bridge: must be from 0 to 512`);
}

function parseLabel(text: string): string {
  if (!/^[^=\s]+=/.test(text)) throw invalid(`bad attribute format: ${text}`);
  return text;
}

/** `64m`, `1g`, `1024`: binary multiples, as in dockerd. */
function parseBytes(key: string, text: string): number {
  const match = /^(\d+)([bkmg]?)b?$/i.exec(text);
  if (!match) throw invalid(`invalid value "${text}" for --${key}: invalid size: '${text}'`);
  return Number(match[1]) * 1024 ** Math.max(0, 'bkmg'.indexOf((match[2] ?? '').toLowerCase()));
}

function planArchiveLimits(value: (key: string) => unknown): ArchiveLimits {
  const orAny = (limit: number): number => (limit === 0 ? Number.POSITIVE_INFINITY : limit);
  return {
    entries: parseCount('max-archive-entries', value('max-archive-entries'), 1),
    imageFiles: parseCount('max-image-archive-files', value('max-image-archive-files'), 1),
    bytes: orAny(parseBytes('max-archive-size', String(value('max-archive-size')))),
    ratio: orAny(parseCount('max-archive-ratio', value('max-archive-ratio'), 0)),
  };
}

/** Below 64 KiB a single burst of repairs would not fit. */
const smallestJournal = 65_536;

function planJournal(value: (key: string) => unknown): DaemonConfig['journal'] {
  const maximumBytes = parseBytes('journal-size', String(value('journal-size')));
  const maximumAge = parseCount('journal-age', value('journal-age'), 1);
  if (maximumBytes === 0) return undefined;
  if (maximumBytes < smallestJournal)
    throw invalid(`invalid value "${String(value('journal-size'))}" for --journal-size: must be 0, or 64k or more`);
  return { maximumBytes, maximumAge };
}

function parseCount(key: string, value: unknown, least: number): number {
  const count = Number(value);
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw invalid(`invalid value "${String(value)}" for --${key}: must be a whole number, ${least} or more`);
}

function parseSeconds(key: string, value: unknown): number {
  const seconds = Number(value);
  if (!Number.isInteger(seconds) || seconds < 0) throw invalid(`invalid value "${String(value)}" for --${key}`);
  return seconds;
}

function planTls(tls: boolean, verify: boolean, ca: string, certificate: string, key: string): TlsFiles | undefined {
  if (!tls && !verify) return undefined;
  if (!verify) {
    throw invalid(
      '--tls without --tlsverify would admit every client that can reach the port',
      'use --tlsverify and --tlscacert',
    );
  }
  const missing = Object.entries({ tlscacert: ca, tlscert: certificate, tlskey: key }).filter(
    ([, file]) => file === '',
  );
  if (missing.length > 0) throw invalid(`--tlsverify requires ${missing.map(([name]) => `--${name}`).join(', ')}`);
  return { ca, certificate, key };
}
