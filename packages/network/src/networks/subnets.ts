/** Places the subnets of a new network: requested ones are checked, automatic ones chosen. Docker's messages. Pure. */
import { formatPrefix, NetyardError, networkOf, parsePrefix } from '@netyard/core';
import type { Peers } from '@netyard/peers';
import type { IpamPool } from '../contract.ts';
import { isAutomatic } from '../ipam/check-pools.ts';
import { completePool } from '../ipam/complete-pool.ts';
import type { AddressRange, FindBlock } from '../ipam/free-space.ts';
import { blockBy } from '../ipam/occupied.ts';
import type { NetworkTable } from '../network-table.ts';

/** What the subnets must not overlap with. */
export interface Surroundings {
  readonly networks: Pick<NetworkTable, 'subnets'>;
  readonly peers: Pick<Peers, 'findOverlap'>;
  /** See `findOccupied`. */
  occupied: readonly AddressRange[];
  /** Pools of which other hosts get subnets later. */
  reserved: readonly AddressRange[];
  /** See `Driver.hasGateway`. */
  gateway: boolean;
}

/** Returns the pools with subnet and gateway. @param pools as checked by `checkPools` */
export function placePools(pools: readonly IpamPool[], surroundings: Surroundings): IpamPool[] {
  const requested = pools.length === 0 ? [{ subnet: '' }] : pools;
  return requested.map((pool) => completePool({ ...pool, subnet: placeSubnet(pool, surroundings) }, surroundings));
}

function placeSubnet(pool: IpamPool, surroundings: Surroundings): string {
  const findBlock = blockByAll(surroundings);
  if (isAutomatic(pool)) return formatPrefix(surroundings.networks.subnets.next(findBlock));
  const subnet = networkOf(parsePrefix(pool.subnet));
  if (subnet.length === 0) throw new NetyardError('invalid', 'invalid address pool');
  if (subnet.value === 0n) return formatPrefix(surroundings.networks.subnets.next(findBlock, subnet.length));
  // With an ip-range the driver rejects the overlap, as in Docker.
  if (pool.range === undefined && surroundings.networks.subnets.overlapping(pool.subnet) !== undefined)
    throw new NetyardError('forbidden', 'invalid pool request: Pool overlaps with other one on this address space');
  const peer = surroundings.peers.findOverlap(subnet);
  if (peer)
    throw new NetyardError('forbidden', `subnet ${pool.subnet} overlaps with ${peer.subnet} of peer ${peer.name}`);
  return formatPrefix(subnet);
}

function blockByAll({ peers, occupied, reserved }: Surroundings): FindBlock {
  const [byHost, byReserved] = [blockBy(occupied), blockBy(reserved)];
  return (range) => byHost(range) ?? byReserved(range) ?? lastOfPeer(peers, range);
}

/** @param range a prefix */
function lastOfPeer(peers: Surroundings['peers'], { first, last }: AddressRange): bigint | undefined {
  const length = 32 - (last - first + 1n).toString(2).length + 1;
  return peers.findOverlap({ family: 4, value: first, length })?.last;
}
