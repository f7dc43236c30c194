/** Plans the map elements of published ports. Pure. */
import { shortId } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { PublishedPort } from '../contract.ts';
import type { EndpointOwner } from '../model.ts';
import { element } from './table.ts';

/** Identifies the owner of an element in the output of `nft list`. */
export const elementComment = ({ kind, id }: Pick<EndpointOwner, 'kind' | 'id'>): string => `${kind} ${shortId(id)}`;

/** Empty without ports, and for an endpoint without an IPv4 address. */
export function planPublishedPorts(
  ports: readonly PublishedPort[],
  address: string | undefined,
  owner: EndpointOwner,
): NftElementObject[] {
  if (address === undefined || ports.length === 0) return [];
  const comment = elementComment(owner);
  // Allows an endpoint to connect to its own published ports at an address of the host.
  const hairpin = element('hairpin', `${address} . ${address}`, { comment });
  return [hairpin, ...ports.map((port) => planPublishedPort(port, address, comment))];
}

/** Ports that are reachable at the endpoint's own address, without address translation. */
export function planDirectPorts(
  ports: readonly PublishedPort[],
  address: string | undefined,
  owner: EndpointOwner,
): NftElementObject[] {
  if (address === undefined) return [];
  const keys = ports.map(({ protocol, containerPort }) => `${address} . ${protocol} . ${containerPort}`);
  return [...new Set(keys)].map((key) => element('direct_ports', key, { comment: elementComment(owner) }));
}

function planPublishedPort(port: PublishedPort, address: string, comment: string): NftElementObject {
  const any = port.hostAddress === '0.0.0.0';
  const service = `${port.protocol} . ${port.hostPort}`;
  return element(any ? 'published_any' : 'published', any ? service : `${port.hostAddress} . ${service}`, {
    value: `${address} . ${port.containerPort}`,
    comment,
  });
}
