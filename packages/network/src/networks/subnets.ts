/** Places the subnets of a new network: requested ones are checked, automatic ones chosen. Docker's messages. Pure. */
import { formatIp, formatPrefix, NetyardError, networkOf, parseIp, parsePrefix } from '@netyard/core';
import type { Peers } from '@netyard/peers';
import type { Family, IpamPool } from '../contract.ts';
import { isAutomatic } from '../ipam/check-pools.ts';
import { completePool } from '../ipam/complete-pool.ts';
import type { AddressRange, FindBlock } from '../ipam/free-space.ts';
import { blockBy, type Occupied } from '../ipam/occupied.ts';
import type { NetworkTable } from '../network-table.ts';

/** What the subnets must not overlap with. */
export interface Surroundings {
  readonly networks: Pick<NetworkTable, 'subnets'>;
  readonly peers: Pick<Peers, 'findOverlap'>;
  /** See `findOccupied`. */
  occupied: Occupied;
  /** Pools of which other hosts get subnets later. */
  reserved: Occupied;
  /** See `Driver.hasGateway`. */
  hasGateway(family: Family): boolean;
}

/** Returns the pools with subnet and gateway. @param pools as checked by `checkPools` */
export function placePools(family: Family, pools: readonly IpamPool[], surroundings: Surroundings): IpamPool[] {
  const requested = pools.length === 0 ? [{ subnet: '' }] : pools;
  const gateway = surroundings.hasGateway(family);
  return requested.map((pool) =>
    completePool({ ...canonical(pool), subnet: placeSubnet(family, pool, surroundings) }, { gateway }),
  );
}

/** IPv6 addresses have many forms: they are stored in that of RFC 5952. */
function canonical(pool: IpamPool): IpamPool {
  const { gateway, range, auxAddresses } = pool;
  const address = (text: string): string => formatIp(parseIp(text));
  const aux = Object.entries(auxAddresses ?? {}).map(([name, text]) => [name, address(text)] as const);
  return {
    ...pool,
    ...(gateway === undefined ? {} : { gateway: address(gateway) }),
    ...(range === undefined ? {} : { range: formatPrefix(parsePrefix(range)) }),
    ...(auxAddresses === undefined ? {} : { auxAddresses: Object.fromEntries(aux) }),
  };
}

function placeSubnet(family: Family, pool: IpamPool, surroundings: Surroundings): string {
  const findBlock = blockByAll(family, surroundings);
  const { subnets } = surroundings.networks;
  if (isAutomatic(pool)) return formatPrefix(subnets.next(family, findBlock));
  const subnet = networkOf(parsePrefix(pool.subnet));
  if (subnet.length === 0) throw new NetyardError('invalid', 'invalid address pool');
  if (subnet.value === 0n) return formatPrefix(subnets.next(family, findBlock, subnet.length));
  // With an ip-range the driver rejects the overlap, as in Docker.
  if (pool.range === undefined && subnets.overlapping(pool.subnet) !== undefined)
    throw new NetyardError('forbidden', 'invalid pool request: Pool overlaps with other one on this address space');
  const peer = surroundings.peers.findOverlap(subnet);
  if (peer)
    throw new NetyardError('forbidden', `subnet ${pool.subnet} overlaps with ${peer.subnet} of peer ${peer.name}`);
  return formatPrefix(subnet);
}

function blockByAll(family: Family, { peers, occupied, reserved }: Surroundings): FindBlock {
  const [byHost, byReserved] = [blockBy(occupied[family]), blockBy(reserved[family])];
  return (range) => byHost(range) ?? byReserved(range) ?? lastOfPeer(family, peers, range);
}

/** @param range a prefix */
function lastOfPeer(family: Family, peers: Surroundings['peers'], { first, last }: AddressRange): bigint | undefined {
  const length = (family === 'v4' ? 32 : 128) - (last - first + 1n).toString(2).length + 1;
  return peers.findOverlap({ family: family === 'v4' ? 4 : 6, value: first, length })?.last;
}
