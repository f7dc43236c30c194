/** The whole neighbour table (ARP, NDP) with the states of its entries. See ip-neighbour(8), linux/neighbour.h. */
import type { NeighbourState } from '../../observed-namespace.ts';
import { hostIsLittleEndian, viewOf } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';
import { type DecodedNeighbour, decodeNeighbour, RTM_GETNEIGH, RTM_NEWNEIGH } from './neighbour.ts';

const states: ReadonlyMap<number, NeighbourState> = new Map([
  [0x01, 'incomplete'],
  [0x02, 'reachable'],
  [0x04, 'stale'],
  [0x08, 'delay'],
  [0x10, 'probe'],
  [0x20, 'failed'],
  [0x40, 'noarp'],
  [0x80, 'permanent'],
]);
/** linux/rtnetlink.h. */
const RTN_BROADCAST = 3;
const RTN_MULTICAST = 5;

export interface StatefulNeighbour extends Omit<DecodedNeighbour, 'permanent'> {
  state: NeighbourState;
}

/** Decodes the payload of RTM_NEWNEIGH; undefined for entries without an address, and of multicast and broadcast. */
export function decodeNeighbourState(payload: Uint8Array): StatefulNeighbour | undefined {
  const entry = decodeNeighbour(payload);
  const type = payload[11];
  if (entry === undefined || type === RTN_BROADCAST || type === RTN_MULTICAST) return undefined;
  const { permanent: _permanent, ...rest } = entry;
  return { ...rest, state: states.get(viewOf(payload).getUint16(8, hostIsLittleEndian)) ?? 'none' };
}

/** Without entries of links that need no resolution, such as lo. Equivalent to: `ip neighbour show`. */
export function listNeighbourStates(socket: NetlinkSocket): StatefulNeighbour[] {
  const request = {
    ...{ type: RTM_GETNEIGH, payload: new Uint8Array(12) },
    ...{ operation: 'ip neighbour show', object: 'all' },
  };
  return socket
    .dump(request)
    .filter(({ type }) => type === RTM_NEWNEIGH)
    .flatMap((message) => decodeNeighbourState(message.payload) ?? [])
    .filter(({ state }) => state !== 'noarp' && state !== 'none');
}
