/** Plans the map elements of published ports. Pure. */
import { shortId } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { PublishedPort } from '../contract.ts';
import { familyOfAddress } from '../family.ts';
import type { EndpointOwner } from '../model.ts';
import { anyAddress } from '../ports/bindings.ts';
import { element, tableFamilies } from './table.ts';

/** Identifies the owner of an element in the output of `nft list`. */
export const elementComment = ({ kind, id }: Pick<EndpointOwner, 'kind' | 'id'>): string => `${kind} ${shortId(id)}`;

/** Empty without ports. All addresses are of one family. */
export function planPublishedPorts(
  ports: readonly PublishedPort[],
  address: string,
  owner: EndpointOwner,
): NftElementObject[] {
  if (ports.length === 0) return [];
  const comment = elementComment(owner);
  const family = tableFamilies[familyOfAddress(address)];
  // Allows an endpoint to connect to its own published ports at an address of the host.
  const hairpin = element('hairpin', `${address} . ${address}`, { comment, family });
  return [hairpin, ...ports.map((port) => planPublishedPort(port, address, comment))];
}

/** Ports that are reachable at the endpoint's own address, without address translation. */
export function planDirectPorts(
  ports: readonly PublishedPort[],
  address: string,
  owner: EndpointOwner,
): NftElementObject[] {
  const family = tableFamilies[familyOfAddress(address)];
  const keys = ports.map(({ protocol, containerPort }) => `${address} . ${protocol} . ${containerPort}`);
  return [...new Set(keys)].map((key) => element('direct_ports', key, { comment: elementComment(owner), family }));
}

/** Ports on IPv6 addresses, which the daemon relays as far as no rule translates them: see bridge-table.ts. */
export function planRelayedPorts(ports: readonly PublishedPort[], owner: EndpointOwner): NftElementObject[] {
  const comment = elementComment(owner);
  return ports
    .filter(({ hostAddress, hostPort }) => familyOfAddress(hostAddress) === 'v6' && hostPort !== 0)
    .map(({ hostAddress, protocol, hostPort }) => {
      const service = `${protocol} . ${hostPort}`;
      return hostAddress === anyAddress.v6
        ? element('relayed_ports_any', service, { comment })
        : element('relayed_ports', `${hostAddress} . ${service}`, { comment });
    });
}

function planPublishedPort(port: PublishedPort, address: string, comment: string): NftElementObject {
  const family = familyOfAddress(address);
  const any = port.hostAddress === anyAddress[family];
  const service = `${port.protocol} . ${port.hostPort}`;
  return element(any ? 'published_any' : 'published', any ? service : `${port.hostAddress} . ${service}`, {
    value: `${address} . ${port.containerPort}`,
    ...{ comment, family: tableFamilies[family] },
  });
}
