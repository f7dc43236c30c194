/**
 * Finds the address under which other hosts reach this host, and the networks it is attached to. Reads only; sends
 * nothing.
 */
import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { formatIp, NetyardError, type Prefix, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { EtcdSession } from './etcd/session.ts';

export interface HostAddresses {
  /** Source address of connections through the default route. Undefined when there is no default route. */
  uplink(): Promise<string | undefined>;
  /** Prefixes of all interfaces that are up, except loopback. */
  prefixes(): Prefix[];
}

// TEST-NET-1 (RFC 5737). Connecting a UDP socket selects a route and sends nothing.
const EXTERNAL_ADDRESS = '192.0.2.1';

export const hostAddresses: HostAddresses = {
  async uplink() {
    const socket = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        // Node passes an error of connect(2) to the callback, which its type does not say.
        socket.connect(9, EXTERNAL_ADDRESS, (error?: Error | null) => (error ? reject(error) : resolve()));
      });
      return socket.address().address;
    } catch {
      return undefined; // no default route
    } finally {
      socket.close();
    }
  },
  prefixes: () =>
    Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? [])
        .filter(({ family, internal, cidr }) => family === 'IPv4' && !internal && cidr !== null)
        .map(({ cidr }) => parsePrefix(cidr ?? '')),
    ),
};

/**
 * This host's source address towards etcd; when etcd runs on this host, the uplink's. Addresses in `containers`, the
 * host's own container subnet if known, are excluded. Throws `invalid` when no address can be determined.
 */
export async function announcedAddress(
  session: EtcdSession,
  host: HostAddresses,
  containers: string | undefined,
): Promise<string> {
  const isOutside = (address: string): boolean =>
    isIPv4(address) &&
    !address.startsWith('127.') &&
    (containers === undefined || !prefixContains(parsePrefix(containers), parseIp(address)));
  const candidates = [session.localAddress(), await host.uplink()];
  const found = candidates.find((address) => address !== undefined && isOutside(address));
  if (found !== undefined) return found;
  const [only, ...more] = host.prefixes().map(formatIp).filter(isOutside);
  if (only !== undefined && more.length === 0) return only;
  throw new NetyardError(
    'invalid',
    'cannot determine the address under which other hosts of the cluster reach this host',
    {
      hint: 'set --cluster-address',
    },
  );
}
