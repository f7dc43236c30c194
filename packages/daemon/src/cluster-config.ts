/** Parses and checks the options of `--cluster`, before anything is changed. Reads no files. */
import { type ApiListener, checkSettings } from '@netyard/cluster';
import { formatPrefix, NetyardError, networkOf, parsePrefix } from '@netyard/core';
import type { ListenAddress, TlsFiles } from './listen-address.ts';
import { daemonOptions, flagOf, type RawOptions } from './options.ts';

export interface ClusterConfig {
  url: string;
  /** '' = this host's own. */
  hostName: string;
  /** '' = detected. */
  address: string;
  pool: { subnet?: string; subnetSize?: number };
  /** The subnet of an explicit `--bip`. */
  requiredSubnet?: string;
  /** Paths; '' if not given. */
  files: { ca: string; certificate: string; key: string };
  leaseSeconds: number;
  reservationSeconds: number;
  /** TCP ports of the API, all of which require client certificates. */
  listeners: readonly ApiListener[];
  /** This daemon's client certificate for the APIs of other hosts. */
  apiFiles: TlsFiles | undefined;
}

/**
 * `given` holds the explicit options of flags and file; `bip` is the default bridge's, explicit or not; `hosts` is
 * where the API listens. Throws `invalid`.
 */
export function planCluster(
  given: RawOptions,
  bip: string,
  hosts: readonly ListenAddress[],
): ClusterConfig | undefined {
  const value = (key: string): unknown => given[key] ?? daemonOptions.find((option) => option.key === key)?.default;
  const textOf = (key: string): string => String(value(key));
  if (textOf('cluster') === '') {
    const option = daemonOptions.find(({ key }) => key.startsWith('cluster-') && given[key] !== undefined);
    if (option) throw new NetyardError('invalid', `--${flagOf(option)} requires --cluster`);
    return undefined;
  }
  const subnet = textOf('cluster-subnet');
  const subnetSize = Number(value('cluster-subnet-size'));
  const config: ClusterConfig = {
    url: textOf('cluster'),
    hostName: textOf('cluster-host-name'),
    address: textOf('cluster-address'),
    pool: { ...(subnet === '' ? {} : { subnet }), ...(subnetSize === 0 ? {} : { subnetSize }) },
    ...(given['bip'] === undefined ? {} : { requiredSubnet: formatPrefix(networkOf(parsePrefix(bip))) }),
    files: { ca: textOf('cluster-ca'), certificate: textOf('cluster-cert'), key: textOf('cluster-key') },
    leaseSeconds: Number(value('cluster-lease')),
    reservationSeconds: Number(value('cluster-reservation')),
    listeners: hosts.flatMap((one) => (one.kind === 'tcp' ? [{ address: one.host, port: one.port }] : [])),
    apiFiles: planApiFiles(textOf),
  };
  checkSettings(settingsOf(config, 'this-host', (path) => path));
  return config;
}

/** All three or none. */
function planApiFiles(textOf: (key: string) => string): TlsFiles | undefined {
  const keys = { ca: 'cluster-api-ca', certificate: 'cluster-api-cert', key: 'cluster-api-key' } as const;
  const missing = Object.values(keys).filter((key) => textOf(key) === '');
  if (missing.length === 3) return undefined;
  if (missing.length > 0) {
    const [all, lacking] = [Object.values(keys), missing].map((some) => some.map((key) => `--${key}`));
    throw new NetyardError('invalid', `${all?.join(', ')} must be used together: add ${lacking?.join(' and ')}`);
  }
  return { ca: textOf(keys.ca), certificate: textOf(keys.certificate), key: textOf(keys.key) };
}

/** The settings of the cluster package; `read` returns a file's text. */
export function settingsOf(
  config: ClusterConfig,
  hostName: string,
  read: (path: string) => string,
): Parameters<typeof checkSettings>[0] {
  const { files, address, listeners: api } = config;
  const given = Object.entries(files).filter(([, path]) => path !== '');
  const tls = Object.fromEntries(given.map(([name, path]) => [name, read(path)]));
  return {
    ...{ url: config.url, hostName: config.hostName === '' ? hostName : config.hostName, pool: config.pool },
    ...(address === '' ? {} : { address }),
    ...(config.requiredSubnet === undefined ? {} : { requiredSubnet: config.requiredSubnet }),
    ...(given.length === 0 ? {} : { tls }),
    ...{ leaseSeconds: config.leaseSeconds, reservationSeconds: config.reservationSeconds, api },
  };
}
