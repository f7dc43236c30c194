/**
 * The daemon's address and how to connect: from a flag, the environment, or the default. Pure except for the TLS files,
 * which are named here and read by `transport`.
 */
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';

export const defaultHost = 'unix:///run/netyard/netyard.sock';

export interface TlsFiles {
  ca: string;
  cert: string;
  key: string;
  /** Reject a server whose certificate the CA did not sign. */
  verify: boolean;
}

export type DaemonAddress =
  | { kind: 'unix'; text: string; path: string }
  | { kind: 'tcp'; text: string; host: string; port: number; tls: TlsFiles | undefined };

export interface AddressRequest {
  /** `-H`; overrides the environment. */
  host?: string | undefined;
  tls?: Partial<TlsFiles> & { enabled: boolean };
  env: Readonly<Record<string, string | undefined>>;
}

/** `-H`, else NETYARD_HOST, else DOCKER_HOST, else the default. Throws `invalid` with the docker command's messages. */
export function resolveAddress({ host, tls, env }: AddressRequest): DaemonAddress {
  const text = [host, env['NETYARD_HOST'], env['DOCKER_HOST'], defaultHost].find((value) => value) ?? defaultHost;
  return parseAddress(text, tlsFiles(tls, env));
}

function tlsFiles(tls: AddressRequest['tls'], env: AddressRequest['env']): TlsFiles | undefined {
  const verify = tls?.verify ?? (env['DOCKER_TLS_VERIFY'] ?? '') !== '';
  if (!verify && !tls?.enabled && !env['DOCKER_TLS']) return undefined;
  const folder = env['DOCKER_CERT_PATH'] || env['DOCKER_CONFIG'] || join(env['HOME'] ?? '/', '.docker');
  return {
    ca: tls?.ca ?? join(folder, 'ca.pem'),
    cert: tls?.cert ?? join(folder, 'cert.pem'),
    key: tls?.key ?? join(folder, 'key.pem'),
    verify,
  };
}

/** `unix:///path`, `tcp://host:port`, `http://`, `https://`; also a bare `host:port`. */
export function parseAddress(text: string, tls?: TlsFiles): DaemonAddress {
  const invalid = (hint: string): NetyardError =>
    new NetyardError('invalid', `unable to parse docker host \`${text}\``, { hint });
  const match = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text.trim());
  const scheme = match?.[1] ?? 'tcp';
  const rest = match?.[2] ?? '';
  if (scheme === 'unix') {
    if (!rest.startsWith('/')) throw invalid('use unix:///absolute/path');
    return { kind: 'unix', text, path: rest };
  }
  if (scheme === 'ssh')
    throw invalid('ssh:// is not supported; forward the socket: ssh -L /tmp/n.sock:/run/netyard/netyard.sock HOST');
  if (!['tcp', 'http', 'https'].includes(scheme)) throw invalid('use unix:///path or tcp://host:port');
  const place = /^(\[[0-9a-fA-F:.]+\]|[^:/]*)(?::(\d+))?\/?$/.exec(rest);
  if (!place || (place[1] === '' && place[2] === undefined)) throw invalid('use tcp://host:port');
  const secure = tls !== undefined || scheme === 'https';
  const port = Number(place[2] ?? (secure ? 2376 : 2375));
  if (port < 1 || port > 65535) throw invalid('use a port from 1 to 65535');
  const host = (place[1] || '127.0.0.1').replace(/^\[|\]$/g, '');
  return { kind: 'tcp', text: match?.[1] ? text : `tcp://${text}`, host, port, tls };
}
