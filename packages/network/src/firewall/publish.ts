/** What a published port puts into the maps. Pure. */
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

/** Lets a published container reach itself by an address of the host. */
export function planHairpin(containerAddress: string, containerId: string): NftElementObject {
  const comment = `container ${shortId(containerId)}`;
  return element('themselves', `${containerAddress} . ${containerAddress}`, { comment });
}
