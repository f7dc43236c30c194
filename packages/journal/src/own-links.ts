/**
 * Names of the interfaces that Netyard creates on the host, as packages/network/src/object-names.ts makes them, and the
 * networks that they belong to. Pure.
 */
import { segmentOfLink } from '@netyard/core';
import type { NetworkRecord } from '@netyard/network';

const bridgeOption = 'com.docker.network.bridge.name';
/** Interfaces of containers, bridges, and segments of networks. */
export const isOwnLink = (name: string): boolean =>
  /^(?:ny-|ny\d|br-[0-9a-f]{12}$)/.test(name) || segmentOfLink(name) !== undefined;

/** Whether an interface is a network's bridge, or one of a segment of it. */
export const isLinkOf = ({ id, options }: Pick<NetworkRecord, 'id' | 'options'>, name: string): boolean =>
  [options[bridgeOption], `br-${id.slice(0, 12)}`].includes(name) ||
  id.startsWith(segmentOfLink(name)?.networkPrefix ?? '-');
