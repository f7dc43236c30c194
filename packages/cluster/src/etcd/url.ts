/**
 * Parses `--cluster`: `etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/NAME]`. Pure; resolves no names. The scheme
 * does not select TLS: certificate files do.
 */
import { isIPv6 } from 'node:net';
import { NetyardError, urlHost } from '@netyard/core';
import { isMemberName } from '../member-name.ts';

export interface EtcdEndpoint {
  /** A host name, or an address without brackets. */
  host: string;
  port: number;
}

export interface EtcdUser {
  name: string;
  password: string;
}

export interface ClusterUrl {
  endpoints: EtcdEndpoint[];
  user?: EtcdUser;
  /** The cluster on that etcd. Default: `netyard`. */
  name: string;
}

const DEFAULT_PORT = 2379;

/** `172.16.2.101:2379`, `[fd00::1]:2379` */
export function formatEndpoint({ host, port }: EtcdEndpoint): string {
  return `${urlHost(host)}:${port}`;
}

/** Throws `invalid`; the message never contains the password. */
export function parseClusterUrl(text: string): ClusterUrl {
  const match = /^etcd:\/\/(?:(?<user>[^@/]*)@)?(?<hosts>[^@/]+)(?:\/(?<name>[^/]*))?$/.exec(text);
  const shown = text.replace(/\/\/.*@/, '//…@');
  const invalid = (why: string): NetyardError =>
    new NetyardError('invalid', `invalid --cluster "${shown}": ${why}`, {
      hint: 'use etcd://HOST[:PORT][,HOST[:PORT]…][/NAME], such as etcd://172.16.2.101,172.16.2.102,172.16.2.103',
    });
  const hosts = match?.groups?.['hosts'];
  if (!match || hosts === undefined) throw invalid('not an etcd address');
  const name = match.groups?.['name'] || 'netyard';
  if (!isMemberName(name)) throw invalid(`the cluster's name ${name} has characters other than letters, digits, _ . -`);
  const endpoints = hosts.split(',').map((host) => {
    const endpoint = parseEndpoint(host);
    if (!endpoint) throw invalid(`${host === '' ? 'a host is missing' : `${host} is not HOST or HOST:PORT`}`);
    return endpoint;
  });
  if (new Set(endpoints.map(formatEndpoint)).size < endpoints.length) throw invalid('duplicate host');
  const user = match.groups?.['user'];
  if (user === undefined) return { endpoints, name };
  const parsed = parseUser(user);
  if (!parsed) throw invalid('the part before @ must be USER:PASSWORD, with special characters percent-encoded');
  return { endpoints, name, user: parsed };
}

function parseEndpoint(text: string): EtcdEndpoint | undefined {
  const match = /^(?:\[(?<ipv6>[0-9a-fA-F:.]+)\]|(?<host>[a-zA-Z0-9._-]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const host = match?.groups?.['ipv6'] ?? match?.groups?.['host'];
  const port = Number(match?.groups?.['port'] ?? DEFAULT_PORT);
  if (host === undefined || port < 1 || port > 65535) return undefined;
  return match?.groups?.['ipv6'] !== undefined && !isIPv6(host) ? undefined : { host, port };
}

function parseUser(text: string): EtcdUser | undefined {
  const colon = text.indexOf(':');
  if (colon < 1) return undefined;
  try {
    return {
      name: decodeURIComponent(text.slice(0, colon)),
      password: decodeURIComponent(text.slice(colon + 1)),
    };
  } catch {
    return undefined; // invalid percent-encoding
  }
}
