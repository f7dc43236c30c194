/**
 * Networks of the cluster on this host: each is created with this host's part of its subnet when the cluster has it, and
 * removed when the cluster does not have it any more and no endpoint uses it. What cannot be done is returned as a problem,
 * and done by a later call.
 */
import { formatPrefix, isNetyardError, NetyardError, networkOf, parsePrefix, prefixContains } from '@netyard/core';
import type { ClusterSubnet, CreateNetworkRequest, NetworkRecord } from '../contract.ts';
import { bridgeDriver } from '../drivers/bridge/driver.ts';
import { overlayDriver } from '../drivers/overlay/driver.ts';
import { partSizeOption } from '../drivers/overlay/validate.ts';
import { completePool } from '../ipam/complete-pool.ts';
import type { AddressRange } from '../ipam/free-space.ts';
import { blockBy, rangesOf } from '../ipam/occupied.ts';
import { usesOf } from '../networks.ts';
import { checkCreate } from './check.ts';
import { type ChangeNetworksDependencies, checkConflicts, emitNetwork, networkQueueKey, set } from './create.ts';
import { isPredefinedName } from './predefined.ts';
import { removeNetwork } from './remove.ts';

/** A network of the cluster, as all hosts know it. */
export interface ClusterNetwork extends ClusterSubnet {
  id: string;
  name: string;
  /** Nanoseconds since 1970. */
  created: bigint;
  internal: boolean;
  attachable: boolean;
  options: Record<string, string>;
  labels: Record<string, string>;
  /** This host's part; absent until it has one. */
  part?: string;
}

/** The request for a new one, which the cluster completes. */
export interface NewClusterNetwork extends Omit<ClusterNetwork, 'subnet' | 'partSize' | 'part' | 'id'> {
  subnet?: string;
  partSize?: number;
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
  const { name, labels, attachable, internal, options } = draft;
  const requested = draft.ipam.v4?.[0]?.subnet;
  const size = options[partSizeOption];
  const find = await findUser(context);
  const user = requested === undefined || requested === '' ? undefined : find(requested);
  if (user !== undefined) throw new NetyardError('forbidden', `subnet ${requested} overlaps with ${user}`);
  return {
    ...{ name, labels, attachable, created: context.clock.now(), internal, options },
    ...(requested === undefined || requested === '' ? {} : { subnet: requested }),
    ...(size === undefined ? {} : { partSize: Number(size) }),
    isTaken: (subnet) => find(subnet) !== undefined,
  };
}

/** Finds what uses a part of a subnet on this host; undefined if nothing does. */
async function findUser(context: ChangeNetworksDependencies): Promise<(subnet: string) => string | undefined> {
  const { networks, peers, hostUse, settings } = context;
  const { v4: occupied } = await hostUse.read((link) => networks.byLink(link) !== undefined);
  const [byHost, byReserved] = [blockBy(occupied), blockBy(rangesOf(settings.reservedSubnets ?? []).v4)];
  const rangeOf = (subnet: string): AddressRange => rangesOf([subnet]).v4[0] ?? { first: 0n, last: 0n };
  return (subnet) => {
    const network = networks.subnets.overlapping(subnet);
    if (network !== undefined) return `network ${networks.get(network)?.name ?? network}`;
    const peer = peers.findOverlap(parsePrefix(subnet));
    if (peer) return `${peer.subnet} of peer ${peer.name}`;
    if (byReserved(rangeOf(subnet)) !== undefined) return 'the pool of the hosts';
    return byHost(rangeOf(subnet)) === undefined ? undefined : 'a route or an address of this host';
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
    await attempt(record, () => removeOutdated(context, record, byId.get(record.id)?.part));
  }
  for (const network of desired) {
    const { part } = network;
    if (part === undefined || context.networks.has(network.id)) continue;
    await attempt(network, async () => void created.push(await adopt(context, { ...network, part })));
  }
  return { problems, created };
}

/** It is gone, or this host has another part now. */
function isOutdated(record: NetworkRecord, desired: ClusterNetwork | undefined): boolean {
  if (record.cluster === undefined) return false;
  if (desired === undefined) return true;
  return desired.part !== undefined && desired.part !== record.ipam.v4?.[0]?.subnet;
}

async function removeOutdated(
  context: ChangeNetworksDependencies,
  { id }: NetworkRecord,
  part: string | undefined,
): Promise<void> {
  const users = usesOf(context, id).map(({ containerName }) => containerName);
  if (users.length > 0) {
    const event = part === undefined ? 'removed it' : `gave this host another part (${part})`;
    throw new NetyardError('conflict', `the cluster ${event} while containers use it here: ${users.join(', ')}`);
  }
  await removeNetwork(context, id);
}

/** A record in etcd may be from another program: it must be one that `checkClusterNetwork` and the cluster would make. */
function checkAsCreated({ name, internal, options, subnet, partSize, part }: ClusterNetwork & { part: string }): void {
  if (isPredefinedName(name)) throw new NetyardError('conflict', `the name ${name} is reserved`);
  const [problem] = overlayDriver.validate({ ipam: { driver: 'default', v4: [] }, internal, options });
  if (problem) throw problem;
  const prefix = parsePrefix(part);
  const isPart = prefix.length === partSize && prefixContains(parsePrefix(subnet), prefix);
  if (!isPart || formatPrefix(networkOf(prefix)) !== part)
    throw new NetyardError('conflict', `${part} is no part of its subnet ${subnet} for a host`);
}

async function adopt(
  context: ChangeNetworksDependencies,
  network: ClusterNetwork & { part: string },
): Promise<NetworkRecord> {
  const { part, subnet, partSize, ...rest } = network;
  checkAsCreated(network);
  return context.queue.run(networkQueueKey(network.name), async () => {
    const other = [...context.networks.values()].find(({ name }) => name === network.name);
    if (other) throw new NetyardError('conflict', `this host has another network of the name ${network.name}`);
    const user = (await findUser(context))(subnet);
    if (user !== undefined) throw new NetyardError('conflict', `its subnet ${subnet} overlaps with ${user}`);
    const record: NetworkRecord = {
      ...{ ...rest, driver: overlayDriver.name, predefined: false, cluster: { subnet, partSize } },
      ipam: { driver: 'default', v4: [completePool({ subnet: part })] },
    };
    checkConflicts(context, record);
    await set(context, record);
    emitNetwork(context, 'create', record);
    return record;
  });
}
