/**
 * Finds the address under which other hosts reach this host, and the networks it is attached to. Reads only; sends
 * nothing.
 */
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import {
  formatIp,
  NetyardError,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixContains,
  tryParseIp,
} from '@netyard/core';
import type { EtcdSession } from './etcd/session.ts';
import { readTransientAddresses } from './transient-addresses.ts';

/** An address of this host, with the length of its subnet. */
export interface HostPrefix extends Prefix {
  /** A temporary or deprecated IPv6 address: not to be announced. */
  transient?: true;
}

export interface HostAddresses {
  /** Source address of connections through the default route: of IPv4, or else of IPv6. Undefined when there is none. */
  uplink(): Promise<string | undefined>;
  /** Those of all interfaces that are up, except loopback and link-local ones. */
  prefixes(): HostPrefix[];
}

// TEST-NET-1 (RFC 5737) and its counterpart (RFC 3849). Connecting a UDP socket selects a route and sends nothing.
const externalAddresses = { udp4: '192.0.2.1', udp6: '2001:db8::1' } as const;

export const hostAddresses: HostAddresses = {
  uplink: async () => (await sourceAddress('udp4')) ?? (await sourceAddress('udp6')),
  prefixes() {
    const transient = readTransientAddresses();
    return Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? []).flatMap((found): HostPrefix[] => {
        if (found.internal || found.cidr === null || (found.family === 'IPv6' && found.scopeid !== 0)) return [];
        const prefix = parsePrefix(found.cidr);
        return [transient.has(formatIp(prefix)) ? { ...prefix, transient: true } : prefix];
      }),
    );
  },
};

async function sourceAddress(type: 'udp4' | 'udp6'): Promise<string | undefined> {
  const socket = createSocket(type);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // Node passes an error of connect(2) to the callback, which its type does not say.
      socket.connect(9, externalAddresses[type], (error?: Error | null) => (error ? reject(error) : resolve()));
    });
    return socket.address().address;
  } catch {
    return undefined; // no default route
  } finally {
    socket.close();
  }
}

/**
 * This host's source address towards etcd; when etcd runs on this host, the uplink's. IPv4 takes precedence, which all hosts
 * of a cluster have unless they have been built without. Addresses in `containers`, the host's own container subnet if
 * known, are excluded. Throws `invalid` when no address can be determined.
 */
export async function announcedAddress(
  session: Pick<EtcdSession, 'localAddress'>,
  host: HostAddresses,
  containers: string | undefined,
): Promise<string> {
  const own = host.prefixes();
  const sources = [session.localAddress(), await host.uplink()].filter((address) => address !== undefined);
  const isUsable = (address: string, family: 4 | 6): boolean =>
    tryParseIp(address)?.family === family && isReachable(address) && !isContainer(address, containers);
  for (const family of [4, 6] as const) {
    const found = sources.find((address) => isUsable(address, family));
    if (found !== undefined) return stableAddress(found, own);
  }
  const stable = own.filter(({ transient }) => !transient).map(formatIp);
  for (const family of [4, 6] as const) {
    const [only, ...more] = stable.filter((address) => isUsable(address, family));
    if (only !== undefined && more.length === 0) return only;
  }
  throw new NetyardError(
    'invalid',
    'cannot determine the address under which other hosts of the cluster reach this host',
    {
      hint: 'set --cluster-address',
    },
  );
}

const isContainer = (address: string, containers: string | undefined): boolean =>
  containers !== undefined && prefixContains(parsePrefix(containers), parseIp(address));

/** Not assignable to a host that others reach: this network, loopback, link-local, multicast and above (RFC 6890). */
const unreachable = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/8', 'fe80::/10', 'ff00::/8'].map(parsePrefix);

/** Whether an address can be that of a host of a cluster. */
export const isReachable = (address: string): boolean =>
  !unreachable.some((prefix) => prefixContains(prefix, parseIp(address)));

/** Instead of a temporary address, from which connections are made (RFC 8981), another one of the same subnet. */
function stableAddress(address: string, own: readonly HostPrefix[]): string {
  const used = own.find((prefix) => formatIp(prefix) === address);
  if (!used?.transient) return address;
  const subnet = { ...networkOf(used), length: used.length };
  const stable = own.find((prefix) => !prefix.transient && prefixContains(subnet, prefix));
  return stable ? formatIp(stable) : address;
}
