/** Creates and removes networks of the cluster: one etcd transaction each, repeated when another host was faster. */
import { NetyardError, parseIp, shortId } from '@netyard/core';
import type { ClusterNetwork, NewNetwork } from './contract.ts';
import { type Entry, listPrefix } from './etcd/list.ts';
import type { EtcdSession } from './etcd/session.ts';
import { hasValue, put, remove, removeAll, unchanged, unwrittenSince } from './etcd/txn.ts';
import { encodeKey, isNetworkName, parseKey, prefixOf } from './keys.ts';
import {
  checkIpv6Size,
  checkNetworkSize,
  chooseIpv6Subnet,
  chooseNetworkSubnet,
  partBits,
  type TakenSubnet,
} from './networks.ts';
import { encodeNetwork, type NetworkValue, type Pool, parseEndpoint, parseNetwork } from './values.ts';

/** Each attempt fails only when another host has changed the keys that were read. */
const ATTEMPTS = 100;

/** Subnets that a network must not overlap with. */
export interface Surroundings {
  pool: Pool;
  hosts: readonly { name: string; address: string; subnets: readonly string[] }[];
}

export async function createNetwork(
  session: EtcdSession,
  cluster: string,
  request: NewNetwork,
  surroundings: () => Surroundings,
): Promise<ClusterNetwork> {
  const { isTaken, subnet: requested, partSize: requestedSize, ipv6: requestedIpv6, ...rest } = request;
  const { name } = rest;
  if (!isNetworkName(name))
    throw new NetyardError('invalid', `invalid name of a cluster network: ${name}`, {
      hint: 'use letters, digits, dots, - and _, 63 at most',
    });
  const size = checkNetworkSize({
    ...(requested === undefined ? {} : { subnet: requested }),
    ...(requestedSize === undefined ? {} : { partSize: requestedSize }),
  });
  const ipv6Size = requestedIpv6 && checkIpv6Size(requestedIpv6, partBits(size));
  checkReadable({ ...rest, subnet: '10.0.0.0/8', ...size });
  const folder = `${prefixOf(cluster)}networks/`;
  const key = encodeKey(cluster, { kind: 'network', name });
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { entries, revision } = await listPrefix(session, folder);
    const existing = entries.find((entry) => entry.key === key);
    // Of the same id: an attempt before, on a connection that ended without an answer.
    if (existing && isNetwork(existing.value, rest.id)) return { ...parseNetwork(existing.value), name };
    if (existing) throw new NetyardError('conflict', `network with name ${name} already exists`);
    const taken = [...networksOf(cluster, entries), ...takenBy(surroundings())];
    const network = {
      ...{ ...rest, partSize: size.partSize, subnet: chooseNetworkSubnet(size.subnet, taken, isTaken) },
      ...(ipv6Size && {
        ipv6: { ...ipv6Size, subnet: chooseIpv6Subnet(ipv6Size.subnet, taken, isTaken, rest.id) },
      }),
    };
    const { succeeded } = await session.kv.txn({
      compare: [unchanged(key, 0n), unwrittenSince(folder, revision)],
      success: [put(key, encodeNetwork(network), 0n)],
    });
    if (succeeded) return network;
  }
  throw conflicted(`network ${name} could not be created`);
}

/** What this host and the others would refuse to read is never written: no host could use or remove it. */
function checkReadable(network: NetworkValue): void {
  parseNetwork(encodeNetwork(network));
}

const conflicted = (what: string): NetyardError =>
  new NetyardError('unavailable', `${what}: ${ATTEMPTS} attempts conflicted with other hosts`);

type Entries = Awaited<ReturnType<typeof listPrefix>>['entries'];

/** A malformed one is reported by the directory. */
function networksOf(cluster: string, entries: Entries): TakenSubnet[] {
  return entries.flatMap((entry) => {
    const key = parseKey(cluster, entry.key);
    if (key?.kind !== 'network') return [];
    try {
      const { subnet, ipv6 } = parseNetwork(entry.value);
      const owner = `network ${key.name}`;
      return [{ subnet, owner }, ...(ipv6 ? [{ subnet: ipv6.subnet, owner }] : [])];
    } catch {
      return [];
    }
  });
}

function takenBy({ pool, hosts }: Surroundings): TakenSubnet[] {
  return [
    { subnet: pool.subnet, owner: 'the pool of the hosts' },
    ...hosts.flatMap(({ name, address, subnets }) =>
      [asSubnet(address), ...subnets].map((subnet) => ({ subnet, owner: `host ${name}` })),
    ),
  ];
}

const asSubnet = (address: string): string => `${address}/${parseIp(address).family === 4 ? 32 : 128}`;

/**
 * Writes networks again that etcd has lost, unless another host has done so. Parts and containers follow, as after any
 * absence.
 * @param networks keys and values as this host knew them
 * @returns those that were written
 */
export async function restoreNetworks(session: EtcdSession, networks: readonly Entry[]): Promise<Entry[]> {
  const restored: Entry[] = [];
  for (const entry of networks) {
    const transaction = { compare: [unchanged(entry.key, 0n)], success: [put(entry.key, entry.value, 0n)] };
    if ((await session.kv.txn(transaction)).succeeded) restored.push(entry);
  }
  return restored;
}

/**
 * @param self this host, whose own containers the caller checks
 * @param isRepeated whether an attempt before may have removed it
 */
export async function removeNetwork(
  session: EtcdSession,
  cluster: string,
  { id, name }: Pick<ClusterNetwork, 'id' | 'name'>,
  self: string,
  isRepeated: boolean,
): Promise<void> {
  const networkKey = encodeKey(cluster, { kind: 'network', name });
  const folder = `${prefixOf(cluster)}endpoints/${id}/`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [found] = (await listPrefix(session, `${prefixOf(cluster)}networks/`)).entries.filter(
      (entry) => entry.key === networkKey,
    );
    const isThere = found !== undefined && isNetwork(found.value, id);
    if (!isThere && isRepeated) return;
    if (!isThere) throw new NetyardError('not-found', `network ${name} not found`);
    const { entries, revision } = await listPrefix(session, folder);
    checkUnused(cluster, name, entries, self);
    const { succeeded } = await session.kv.txn({
      compare: [hasValue(networkKey, found.value), unwrittenSince(folder, revision)],
      success: [remove(networkKey), removeAll(`${prefixOf(cluster)}parts/${id}/`), removeAll(folder)],
    });
    if (succeeded) return;
  }
  throw conflicted(`network ${name} could not be removed`);
}

function isNetwork(text: string, id: string): boolean {
  try {
    return parseNetwork(text).id === id;
  } catch {
    return false;
  }
}

/** Throws `forbidden` with Docker's message. */
function checkUnused(cluster: string, network: string, entries: Entries, self: string): void {
  const uses = entries.flatMap((entry) => {
    const key = parseKey(cluster, entry.key);
    if (key?.kind !== 'endpoint' || key.host === self) return [];
    return [{ host: key.host, text: `name:${JSON.stringify(nameOf(entry.value))} id:"${shortId(key.containerId)}"` }];
  });
  if (uses.length === 0) return;
  const hosts = [...new Set(uses.map(({ host }) => host))].join(', ');
  const list = uses.map(({ text }) => text).join(', ');
  throw new NetyardError(
    'forbidden',
    `error while removing network: network ${network} has active endpoints (${list}) on ${hosts}`,
    { hint: `stop these containers, or disconnect them, on ${hosts}` },
  );
}

function nameOf(text: string): string {
  try {
    return parseEndpoint(text).name;
  } catch {
    return '';
  }
}
