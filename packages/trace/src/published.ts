/** Which container's published port takes a packet to an address of the host. Pure. */
import type { HostContainer, HostNamespace, HostTopology, PublishedPort } from '@netyard/topology';
import type { TracePacket } from './model.ts';
import { withoutLength } from './route-lookup.ts';

export interface PublishedMatch {
  container: HostContainer;
  port: PublishedPort;
  /** Of the container, of the packet's family if it has some of it. */
  addresses: string[];
}

/** All addresses of the host are meant by these. */
const anyAddress = { 4: '0.0.0.0', 6: '::' } as const;

const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

/** Undefined for a packet to an address that the host does not have, or to a port that nothing publishes there. */
export function findPublished(
  topology: HostTopology,
  host: HostNamespace,
  packet: TracePacket,
): PublishedMatch | undefined {
  if (!hasAddress(host, packet.destination)) return undefined;
  return publishedOn(topology, packet).find(({ port }) => {
    const any = anyAddress[familyOf(packet.destination)];
    return port.hostAddress === packet.destination || port.hostAddress === any;
  });
}

/** Containers that publish the packet's port on any address. */
export function publishedOn(topology: HostTopology, packet: TracePacket): PublishedMatch[] {
  const family = familyOf(packet.destination);
  return topology.containers.flatMap((container) =>
    container.ports
      .filter(({ protocol, hostPort }) => protocol === packet.protocol && hostPort === packet.destinationPort)
      .map((port) => ({ container, port, addresses: addressesOf(container, family) })),
  );
}

function addressesOf(container: HostContainer, family: 4 | 6): string[] {
  const all = container.attachments.flatMap(({ addresses }) => addresses).map(withoutLength);
  const same = all.filter((address) => familyOf(address) === family);
  return same.length > 0 ? same : all;
}

const hasAddress = (namespace: HostNamespace, address: string): boolean =>
  address.startsWith('127.') ||
  address === '::1' ||
  namespace.links.some(({ addresses }) => addresses.some((own) => withoutLength(own) === address));
