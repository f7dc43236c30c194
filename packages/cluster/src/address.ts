/** Under which address others reach this host, and which networks it stands in. Reads only; sends nothing. */
import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { formatIp, NetyardError, type Prefix, parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { EtcdSession } from './etcd/session.ts';

export interface HostAddresses {
  /** Of the uplink: where a connection that leaves this host begins. Undefined when there is no default route. */
  uplink(): Promise<string | undefined>;
  /** Of all links that are up, loopback left out. */
  prefixes(): Prefix[];
}

// TEST-NET-1 (RFC 5737). Connecting a UDP socket chooses the route and sends nothing.
const SOMEWHERE_ELSE = '192.0.2.1';

export const hostAddresses: HostAddresses = {
  async uplink() {
    const socket = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.connect(9, SOMEWHERE_ELSE, () => resolve());
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
 * The address on the way to etcd; when etcd is on this very host, the uplink's. Addresses of `containers`, the host's own
 * subnet when it is known, are none of the host's. Throws `invalid` when none can be found.
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
  throw new NetyardError('invalid', 'which address of this host the others of the cluster reach is not clear', {
    hint: 'give --cluster-address',
  });
}
