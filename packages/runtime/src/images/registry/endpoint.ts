/**
 * How to reach a registry and whether its identity must be verified. Docker's rule: https, except that hosts on
 * loopback and those given with --insecure-registry are tried with any certificate and then with plain http.
 */

import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { NetyardError, type Prefix, parseIp, parsePrefix, prefixContains } from '@netyard/core';

export interface Endpoint {
  host: string;
  insecure: boolean;
  tls: { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean };
}

export interface InsecureRegistries {
  prefixes: Prefix[];
  /** `host` or `host:port`. */
  hosts: string[];
}

const loopback = ['127.0.0.0/8', '::1/128'];

/** @param given host, host:port or CIDR, as --insecure-registry takes them. Throws `invalid`. Pure. */
export function parseInsecureRegistries(given: readonly string[]): InsecureRegistries {
  const isPrefix = (text: string): boolean => text.includes('/');
  for (const text of given) {
    if (!isPrefix(text) && !/^[\w.-]+(?::\d+)?$|^\[[\da-f:]+\](?::\d+)?$/i.test(text)) {
      throw new NetyardError('invalid', `invalid insecure registry: ${text}`);
    }
  }
  return {
    prefixes: [...loopback, ...given.filter(isPrefix)].map(parsePrefix),
    hosts: given.filter((text) => !isPrefix(text)),
  };
}

/** Resolves names, as an insecure range refers to their addresses. */
export async function findEndpoint(
  domain: string,
  insecureRegistries: InsecureRegistries,
  certificates: string,
): Promise<Endpoint> {
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
  const insecure = await isInsecure(host, insecureRegistries);
  const folder = join(certificates, host);
  const files = {
    ca: readOptional(join(folder, 'ca.crt')),
    cert: readOptional(join(folder, 'client.cert')),
    key: readOptional(join(folder, 'client.key')),
  };
  const found = Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined));
  return { host, insecure, tls: { ...found, rejectUnauthorized: !insecure } };
}

async function isInsecure(host: string, { prefixes, hosts }: InsecureRegistries): Promise<boolean> {
  const name = host.replace(/:\d+$/, '');
  if (hosts.includes(host) || hosts.includes(name)) return true;
  const plain = name.replace(/^\[|\]$/g, '');
  const addresses = isIP(plain) ? [plain] : await addressesOf(plain);
  return addresses.some((address) => prefixes.some((prefix) => prefixContains(prefix, parseIp(address))));
}

/** Empty when the name does not resolve: the connection will report it. */
async function addressesOf(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address.replace(/%.*$/, ''));
  } catch {
    return [];
  }
}

function readOptional(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}
