/**
 * Names of the interfaces that Netyard creates on the host, as packages/network/src/object-names.ts makes them, and the
 * networks that they belong to. Pure.
 */
import type { NetworkRecord } from '@netyard/network';

const bridgeOption = 'com.docker.network.bridge.name';
/** The bridge of a segment, and the ends of the veth pair that joins it to the network's own bridge. */
const segmentLink = /^ny[btu]([0-9a-f]{10})[0-9a-z]{2}$/;

/** Interfaces of containers, bridges, and segments of networks. */
export const isOwnLink = (name: string): boolean =>
  /^(?:ny-|ny\d|br-[0-9a-f]{12}$)/.test(name) || segmentLink.test(name);

/** Whether an interface is a network's bridge, or one of a segment of it. */
export const isLinkOf = ({ id, options }: Pick<NetworkRecord, 'id' | 'options'>, name: string): boolean =>
  [options[bridgeOption], `br-${id.slice(0, 12)}`].includes(name) || segmentLink.exec(name)?.[1] === id.slice(0, 10);
