/**
 * An index of the other hosts, built from etcd's keys: applies lists and changes, and returns the resulting events.
 * Ignores this host's own keys. No I/O.
 */
import { messageOf, parsePrefix } from '@netyard/core';
import { isApiOf } from './api.ts';
import type {
  ClusterChange,
  ClusterEndpoint,
  ClusterHost,
  ClusterNetwork,
  ClusterProblem,
  KnownNetwork,
  PublishedName,
  Reservation,
} from './contract.ts';
import type { Entry } from './etcd/list.ts';
import type { KeyChange } from './etcd/watch.ts';
import { type ClusterKey, parseKey, prefixOf } from './keys.ts';
import { ipv6PartOf } from './networks.ts';
import type { ClaimableNetwork } from './part-claims.ts';
import { isOfPool } from './pool.ts';
import { type HostValue, parseEndpoint, parseHost, parseName, parseNetwork, parsePart, parseSubnet } from './values.ts';

/** A parsed key with the text of its value. */
type Known = { text: string } & (
  | { kind: 'host'; host: ClusterHost }
  | { kind: 'name'; name: PublishedName }
  | { kind: 'subnet'; id: string; reservation: Reservation }
  | { kind: 'network'; network: ClusterNetwork }
  | { kind: 'part'; networkId: string; subnet: string; host: string; id: string }
  | { kind: 'endpoint'; endpoint: ClusterEndpoint }
);
type Part = Extract<Known, { kind: 'part' }>;

export interface DirectoryOptions {
  cluster: string;
  /** Name and identity of this host. */
  self: string;
  id: string;
}

export class Directory {
  readonly #cluster: string;
  readonly #self: string;
  readonly #id: string;
  readonly #known = new Map<string, Known>();
  readonly #problems = new Map<string, string>();
  /** Cached lists: read more often than changed. */
  #hosts: ClusterHost[] | undefined;
  #names: PublishedName[] | undefined;
  #networks: KnownNetwork[] | undefined;
  #endpoints: ClusterEndpoint[] | undefined;

  constructor({ cluster, self, id }: DirectoryOptions) {
    this.#cluster = cluster;
    this.#self = self;
    this.#id = id;
  }

  hosts(): readonly ClusterHost[] {
    this.#hosts ??= [...this.#known.values()].flatMap((known) => (known.kind === 'host' ? [known.host] : []));
    return this.#hosts;
  }

  names(): readonly PublishedName[] {
    this.#names ??= [...this.#known.values()].flatMap((known) => (known.kind === 'name' ? [known.name] : []));
    return this.#names;
  }

  networks(): readonly KnownNetwork[] {
    this.#networks ??= this.#listNetworks(({ network }, parts) => {
      const own = this.#ownPart(network, parts);
      const others = parts.filter(({ id }) => id !== this.#id).map((part) => showPart(network, part));
      return { ...network, ...(own === undefined ? {} : showOwnPart(network, own)), parts: others };
    });
    return this.#networks;
  }

  /** For the claims of this host: a malformed part counts as taken. */
  claimable(): ClaimableNetwork[] {
    const malformed = Map.groupBy(
      [...this.#problems.keys()].flatMap((short) => {
        const key = parseKey(this.#cluster, this.#full(short));
        return key?.kind === 'part' ? [key] : [];
      }),
      ({ networkId }) => networkId,
    );
    return this.#listNetworks(({ network, text }, parts) => {
      const taken = [...parts, ...(malformed.get(network.id) ?? [])];
      return {
        ...{ ...network, text, part: this.#ownPart(network, parts) },
        taken: new Set(taken.map(({ subnet }) => subnet)),
      };
    });
  }

  /** Another program may have written a part that no host would claim: it is ignored, and another one is claimed. */
  #ownPart({ subnet, partSize }: ClusterNetwork, parts: readonly Part[]): string | undefined {
    return parts.find((part) => part.id === this.#id && isOfPool({ subnet, subnetSize: partSize }, part.subnet))
      ?.subnet;
  }

  #listNetworks<T>(view: (network: Extract<Known, { kind: 'network' }>, parts: readonly Part[]) => T): T[] {
    const known = [...this.#known.values()];
    const parts = Map.groupBy(
      known.filter((one) => one.kind === 'part'),
      ({ networkId }) => networkId,
    );
    return known.flatMap((one) => (one.kind === 'network' ? [view(one, parts.get(one.network.id) ?? [])] : []));
  }

  /** Of other hosts. */
  endpoints(): readonly ClusterEndpoint[] {
    this.#endpoints ??= [...this.#known.values()].flatMap((known) =>
      known.kind === 'endpoint' ? [known.endpoint] : [],
    );
    return this.#endpoints;
  }

  /** Subnets whose owner does not announce them at the moment. */
  reservations(): Reservation[] {
    const announced = new Set(this.hosts().flatMap((host) => host.subnets));
    return [...this.#known.values()].flatMap((known) =>
      known.kind === 'subnet' && !announced.has(known.reservation.subnet) && known.reservation.host !== this.#self
        ? [known.reservation]
        : [],
    );
  }

  problems(): ClusterProblem[] {
    return [...this.#problems].map(([key, problem]) => ({ key, problem }));
  }

  /** Replaces the contents and returns the changes. */
  replace(entries: readonly Entry[]): ClusterChange[] {
    const present = new Set(entries.map((entry) => entry.key));
    const gone = [...this.#known.keys(), ...this.#problems.keys()].filter((key) => !present.has(this.#full(key)));
    return [...gone.flatMap((key) => this.#forget(key)), ...entries.flatMap((entry) => this.#take(entry))];
  }

  apply(changes: readonly KeyChange[]): ClusterChange[] {
    return changes.flatMap(({ action, entry }) =>
      action === 'put' ? this.#take(entry) : this.#forget(this.#short(entry.key)),
    );
  }

  /** Loads saved entries, for a start while etcd is unreachable. */
  restore(entries: readonly { key: string; text: string }[]): void {
    for (const { key, text } of entries) this.#take({ key: this.#full(key), value: text, lease: 0n, modRevision: 0n });
  }

  /** Entries in the form that `restore` accepts. */
  save(): { key: string; text: string }[] {
    return [...this.#known].map(([key, { text }]) => ({ key, text }));
  }

  /** The entries of the networks. */
  networkEntries(): Entry[] {
    return [...this.#known].flatMap(([key, { kind, text: value }]) =>
      kind === 'network' ? [{ key: this.#full(key), value, lease: 0n, modRevision: 0n }] : [],
    );
  }

  #full = (key: string): string => prefixOf(this.#cluster) + key;
  #short = (key: string): string => key.slice(prefixOf(this.#cluster).length);

  #take(entry: Entry): ClusterChange[] {
    const key = this.#short(entry.key);
    const before = this.#known.get(key);
    if (before?.text === entry.value) return [];
    try {
      const known = this.#read(entry);
      if (!known) return [];
      this.#set(key, known);
      return [...this.#clearProblem(key), ...changesOf(known, before)];
    } catch (error) {
      const problem = messageOf(error);
      const isNew = this.#problems.get(key) !== problem;
      const left = this.#forget(key).filter((change) => change.type !== 'problem');
      this.#problems.set(key, problem);
      return isNew ? [...left, { type: 'problem', key, problem }] : left;
    }
  }

  #read({ key, value }: Entry): Known | undefined {
    const parsed = parseKey(this.#cluster, key);
    if (!parsed) throw new Error('unknown key');
    if (parsed.kind === 'host') {
      if (parsed.name === this.#self) return undefined;
      return { text: value, kind: 'host', host: hostOf(parsed.name, parseHost(value)) };
    }
    if (parsed.kind === 'name') {
      if (parsed.host === this.#self) return undefined;
      return { text: value, kind: 'name', name: { host: parsed.host, name: parsed.name, ...parseName(value) } };
    }
    if (parsed.kind === 'config') return undefined; // read by join.ts
    if (parsed.kind === 'subnet') {
      const { id, host, address } = parseSubnet(value);
      return { text: value, kind: 'subnet', id, reservation: { subnet: parsed.subnet, host, address } };
    }
    return this.#readNetwork(parsed, value);
  }

  #readNetwork(key: Extract<ClusterKey, { kind: 'network' | 'part' | 'endpoint' }>, text: string): Known | undefined {
    if (key.kind === 'network') return { text, kind: 'network', network: { name: key.name, ...parseNetwork(text) } };
    const { networkId } = key;
    if (key.kind === 'part') parsePrefix(key.subnet); // the key has four numbers, of any size
    if (key.kind === 'part') return { text, kind: 'part', networkId, subnet: key.subnet, ...parsePart(text) };
    const { host, containerId } = key;
    if (host === this.#self) return undefined;
    return { text, kind: 'endpoint', endpoint: { networkId, host, containerId, ...parseEndpoint(text) } };
  }

  #set(key: string, known: Known | undefined): void {
    const kind = (known ?? this.#known.get(key))?.kind;
    if (known) this.#known.set(key, known);
    else this.#known.delete(key);
    if (kind === 'host') this.#hosts = undefined;
    if (kind === 'name') this.#names = undefined;
    if (kind === 'network' || kind === 'part') this.#networks = undefined;
    if (kind === 'endpoint') this.#endpoints = undefined;
  }

  #clearProblem(key: string): ClusterChange[] {
    return this.#problems.delete(key) ? [{ type: 'problem', key, problem: '' }] : [];
  }

  #forget(key: string): ClusterChange[] {
    const before = this.#known.get(key);
    this.#set(key, undefined);
    const changes = this.#clearProblem(key);
    if (before?.kind === 'host') changes.push({ type: 'host', action: 'leave', host: before.host });
    if (before?.kind === 'name') changes.push({ type: 'name', action: 'remove', name: before.name });
    if (before) changes.push(...networkChangesOf(before));
    return changes;
  }
}

/** A part that no host would claim has no counterpart in the IPv6 subnet. */
function showPart(network: ClusterNetwork, { host, subnet }: Part): KnownNetwork['parts'][number] {
  const { ipv6, partSize: subnetSize } = network;
  const isPart = isOfPool({ subnet: network.subnet, subnetSize }, subnet);
  return { host, subnets: [subnet, ...(ipv6 && isPart ? [ipv6PartOf(network, ipv6, subnet)] : [])] };
}

const showOwnPart = (network: ClusterNetwork, part: string): Pick<KnownNetwork, 'part' | 'ipv6'> => ({
  part,
  ...(network.ipv6 && { ipv6: { ...network.ipv6, part: ipv6PartOf(network, network.ipv6, part) } }),
});

function hostOf(name: string, { address, subnets, since, api }: HostValue): ClusterHost {
  const host = { name, address, subnets, since, self: false };
  if (api === undefined) return host;
  return isApiOf(api, address) ? { ...host, api } : { ...host, refusedApi: api };
}

function changesOf(known: Known, before: Known | undefined): ClusterChange[] {
  if (known.kind === 'host') return [{ type: 'host', action: before ? 'update' : 'join', host: known.host }];
  return known.kind === 'name' ? [{ type: 'name', action: 'set', name: known.name }] : networkChangesOf(known);
}

function networkChangesOf(known: Known): ClusterChange[] {
  if (known.kind === 'network') return [{ type: 'network', networkId: known.network.id }];
  if (known.kind === 'part') return [{ type: 'network', networkId: known.networkId }];
  return known.kind === 'endpoint' ? [{ type: 'endpoint', networkId: known.endpoint.networkId }] : [];
}
