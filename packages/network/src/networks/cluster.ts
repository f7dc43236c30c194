/**
 * Networks of the cluster on this host: each is created with this host's part of its subnet when the cluster has it, and
 * removed when the cluster does not have it any more and no endpoint uses it. What cannot be done is returned as a problem,
 * and done by a later call.
 */
import {
  formatPrefix,
  isNetyardError,
  NetyardError,
  networkOf,
  parsePrefix,
  prefixContains,
  tryParsePrefix,
} from '@netyard/core';
import type { ClusterSubnet, CreateNetworkRequest, IpamPool, NetworkRecord } from '../contract.ts';
import { bridgeDriver } from '../drivers/bridge/driver.ts';
import { overlayDriver } from '../drivers/overlay/driver.ts';
import { partSizeOption } from '../drivers/overlay/validate.ts';
import { familyOfAddress, valuesOf } from '../family.ts';
import { completePool } from '../ipam/complete-pool.ts';
import { blockBy, type Occupied, rangesOf } from '../ipam/occupied.ts';
import { usesOf } from '../networks.ts';
import { checkCreate } from './check.ts';
import {
  type ChangeNetworksDependencies,
  checkConflicts,
  emitNetwork,
  networkQueueKey,
  set,
  withoutIpv6,
} from './create.ts';
import { isPredefinedName } from './predefined.ts';
import { removeNetwork } from './remove.ts';

/** A subnet with this host's part, which is absent until it has one. */
interface ClusterPart extends ClusterSubnet {
  part?: string;
}

/** A network of the cluster, as all hosts know it: its IPv4 subnet, and that of IPv6 if it has one. */
export interface ClusterNetwork extends ClusterPart {
  id: string;
  name: string;
  /** Nanoseconds since 1970. */
  created: bigint;
  internal: boolean;
  attachable: boolean;
  options: Record<string, string>;
  labels: Record<string, string>;
  ipv6?: ClusterPart;
}

/** The request for a new one, which the cluster completes. */
export interface NewClusterNetwork extends Omit<ClusterNetwork, 'subnet' | 'partSize' | 'part' | 'id' | 'ipv6'> {
  subnet?: string;
  partSize?: number;
  /** Absent for a network without IPv6. */
  ipv6?: { subnet?: string };
  /** Whether something on this host uses a part of the subnet. */
  isTaken: (subnet: string) => boolean;
}

export interface ClusterNetworkProblem {
  id: string;
  name: string;
  problem: string;
}

/**
 * The request for a network of the cluster in its full form, of which `--scope cluster` without a driver is a short one;
 * undefined for any other.
 */
export function asClusterRequest(request: CreateNetworkRequest): CreateNetworkRequest | undefined {
  const { driver, scope, configOnly } = request;
  const isShort = scope === 'cluster' && driver === bridgeDriver.name;
  if (configOnly || !(isShort || driver === overlayDriver.name)) return undefined;
  return { ...request, driver: overlayDriver.name };
}

/** Checks a request as far as this host knows; changes nothing. */
export async function checkClusterNetwork(
  context: ChangeNetworksDependencies,
  request: CreateNetworkRequest,
): Promise<NewClusterNetwork> {
  const { draft } = checkCreate(request, context.networks, context.settings.defaultNetworkOptions);
  if (request.configFrom)
    throw new NetyardError(
      'not-implemented',
      'overlay networks from a configuration-only network are not implemented yet',
    );
  const { name, labels, attachable, internal, options, ipam } = draft;
  if (ipam.v6 && !context.facts.ipv6) throw withoutIpv6(name);
  const size = options[partSizeOption];
  const find = await findUser(context);
  const [v4, v6] = [requestedSubnet(ipam.v4, find), requestedSubnet(ipam.v6, find)];
  return {
    ...{ name, labels, attachable, created: context.clock.now(), internal, options },
    ...v4,
    ...(size === undefined ? {} : { partSize: Number(size) }),
    ...(ipam.v6 === undefined ? {} : { ipv6: v6 }),
    isTaken: (subnet) => find(subnet) !== undefined,
  };
}

/** Finds what uses a part of a subnet on this host; undefined if nothing does. */
type FindUser = (subnet: string) => string | undefined;

/** Throws `forbidden` for one that is in use on this host. */
function requestedSubnet([pool]: readonly IpamPool[] = [], find: FindUser): { subnet?: string } {
  if (pool === undefined || pool.subnet === '') return {};
  const user = find(pool.subnet);
  if (user !== undefined) throw new NetyardError('forbidden', `subnet ${pool.subnet} overlaps with ${user}`);
  return { subnet: pool.subnet };
}

async function findUser(context: ChangeNetworksDependencies): Promise<FindUser> {
  const { networks, peers, hostUse, settings } = context;
  const occupied = await hostUse.read((link) => networks.byLink(link) !== undefined);
  const reserved = rangesOf(settings.reservedSubnets ?? []);
  const isIn = (all: Occupied, subnet: string): boolean => {
    const family = familyOfAddress(subnet);
    const [range] = rangesOf([subnet])[family];
    return range !== undefined && blockBy(all[family])(range) !== undefined;
  };
  return (subnet) => {
    const network = networks.subnets.overlapping(subnet);
    if (network !== undefined) return `network ${networks.get(network)?.name ?? network}`;
    const peer = peers.findOverlap(parsePrefix(subnet));
    if (peer) return `${peer.subnet} of peer ${peer.name}`;
    if (isIn(reserved, subnet)) return 'the pool of the hosts';
    return isIn(occupied, subnet) ? 'a route or an address of this host' : undefined;
  };
}

/**
 * @param desired all networks of the cluster: others are removed
 * @returns the problems, and the networks that were created
 */
export async function setClusterNetworks(
  context: ChangeNetworksDependencies,
  desired: readonly ClusterNetwork[],
): Promise<{ problems: ClusterNetworkProblem[]; created: NetworkRecord[] }> {
  const problems: ClusterNetworkProblem[] = [];
  const created: NetworkRecord[] = [];
  const attempt = async ({ id, name }: Pick<ClusterNetwork, 'id' | 'name'>, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      problems.push({ id, name, problem: isNetyardError(error) ? error.message : String(error) });
    }
  };
  const byId = new Map(desired.map((network) => [network.id, network]));
  for (const record of [...context.networks.values()]) {
    if (!isOutdated(record, byId.get(record.id))) continue;
    await attempt(record, () => removeOutdated(context, record, byId.get(record.id)));
  }
  for (const network of desired) {
    if (partsOf(network).length === 0 || context.networks.has(network.id)) continue;
    await attempt(network, async () => void created.push(await adopt(context, network)));
  }
  return { problems, created };
}

/** This host's parts, IPv4 first; none until it has them. */
const partsOf = ({ part, ipv6 }: ClusterNetwork): string[] => [part, ipv6?.part].filter((one) => one !== undefined);

/** It is gone, or this host has another part now. */
function isOutdated({ cluster, ipam }: NetworkRecord, desired: ClusterNetwork | undefined): boolean {
  if (cluster === undefined) return false;
  if (desired === undefined) return true;
  const own = valuesOf(ipam).flat();
  const parts = partsOf(desired);
  return parts.length > 0 && parts.join() !== own.map(({ subnet }) => subnet).join();
}

async function removeOutdated(
  context: ChangeNetworksDependencies,
  { id }: NetworkRecord,
  desired: ClusterNetwork | undefined,
): Promise<void> {
  const users = usesOf(context, id).map(({ containerName }) => containerName);
  if (users.length > 0) {
    const event = desired === undefined ? 'removed it' : `gave this host another part (${partsOf(desired).join(', ')})`;
    throw new NetyardError('conflict', `the cluster ${event} while containers use it here: ${users.join(', ')}`);
  }
  await removeNetwork(context, id);
}

/** A record in etcd may be from another program: it must be one that `checkClusterNetwork` and the cluster would make. */
function checkAsCreated(network: ClusterNetwork): void {
  const { name, internal, options, ipv6 } = network;
  if (isPredefinedName(name)) throw new NetyardError('conflict', `the name ${name} is reserved`);
  const [problem] = overlayDriver.validate({ ipam: { driver: 'default', v4: [] }, internal, options });
  if (problem) throw problem;
  for (const one of [network, ...(ipv6 ? [ipv6] : [])]) checkPart(one);
}

function checkPart({ subnet, partSize, part = '' }: ClusterPart): void {
  const prefix = tryParsePrefix(part);
  const isPart = prefix?.length === partSize && prefixContains(parsePrefix(subnet), prefix);
  if (!isPart || formatPrefix(networkOf(prefix)) !== part)
    throw new NetyardError('conflict', `${part} is no part of its subnet ${subnet} for a host`);
}

async function adopt(context: ChangeNetworksDependencies, network: ClusterNetwork): Promise<NetworkRecord> {
  const { name, ipv6 } = network;
  checkAsCreated(network);
  if (ipv6 && !context.facts.ipv6) throw withoutIpv6(name);
  return context.queue.run(networkQueueKey(name), async () => {
    const other = [...context.networks.values()].find((record) => record.name === name);
    if (other) throw new NetyardError('conflict', `this host has another network of the name ${name}`);
    const find = await findUser(context);
    for (const { subnet } of [network, ...(ipv6 ? [ipv6] : [])]) {
      const user = find(subnet);
      if (user !== undefined) throw new NetyardError('conflict', `its subnet ${subnet} overlaps with ${user}`);
    }
    const record = toRecord(network);
    checkConflicts(context, record);
    await set(context, record);
    emitNetwork(context, 'create', record);
    return record;
  });
}

function toRecord(network: ClusterNetwork): NetworkRecord {
  const { id, name, created, internal, attachable, options, labels, ipv6 } = network;
  const whole = ({ subnet, partSize }: ClusterSubnet): ClusterSubnet => ({ subnet, partSize });
  const pools = ({ part = '' }: ClusterPart): IpamPool[] => [completePool({ subnet: part })];
  return {
    ...{ id, name, driver: overlayDriver.name, created, internal, attachable, options, labels, predefined: false },
    cluster: { ...whole(network), ...(ipv6 && { ipv6: whole(ipv6) }) },
    ipam: { driver: 'default', v4: pools(network), ...(ipv6 && { v6: pools(ipv6) }) },
  };
}
