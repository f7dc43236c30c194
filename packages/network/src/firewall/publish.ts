/** Plans the map elements of a published port. Pure. */
import { shortId } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import type { PublishedPort } from '../contract.ts';
import { element } from './table.ts';

export function planPublishedPort(
  port: PublishedPort,
  containerAddress: string,
  containerId: string,
): NftElementObject {
  const any = port.hostAddress === '0.0.0.0';
  const service = `${port.protocol} . ${port.hostPort}`;
  return element(any ? 'published_any' : 'published', any ? service : `${port.hostAddress} . ${service}`, {
    value: `${containerAddress} . ${port.containerPort}`,
    comment: `container ${shortId(containerId)}`,
  });
}

/** Allows a container to connect to its own published ports at an address of the host. */
export function planHairpin(containerAddress: string, containerId: string): NftElementObject {
  const comment = `container ${shortId(containerId)}`;
  return element('hairpin', `${containerAddress} . ${containerAddress}`, { comment });
}
