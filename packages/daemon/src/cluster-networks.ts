/**
 * Keeps this host as its cluster is: the other hosts are peers, and the cluster's networks exist, with the other hosts' parts
 * of them as further peers. Requests for new networks go to the cluster and wait until this host has followed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Cluster, ClusterHost } from '@netyard/cluster';
import { type Logger, NetyardError, newId } from '@netyard/core';
import { familyOfAddress, ofFamily } from '@netyard/network';
import type { PeerRequest } from '@netyard/peers';
import type {
  ClusterNetworkProblem,
  ClusterNetworks,
  NetworkEvent,
  NetworkRecord,
  Networks,
  NewClusterNetwork,
} from '@netyard/sandbox';

const RETRY_MS = 2_000;
/** For the claim of this host's part, which etcd answers in milliseconds. */
const CREATE_TIMEOUT_MS = 10_000;

type FollowedCluster = Pick<Cluster, 'view' | 'hosts' | 'networks' | 'createNetwork' | 'removeNetwork' | 'changes'>;
type OwnNetworks = Pick<Networks, 'list' | 'setClusterPeers' | 'setClusterNetworks'>;
type Problems = ReadonlyMap<string, string>;

/**
 * The other hosts, and their parts of the networks that this host has, as peers. Pure.
 * @param own this host's networks of the cluster by id: one that it has had since an older version may lack IPv6
 */
export function planClusterPeers(
  hosts: readonly Pick<ClusterHost, 'name' | 'address' | 'subnets' | 'self'>[],
  networks: ReturnType<FollowedCluster['networks']>,
  own: ReadonlyMap<string, Pick<NetworkRecord, 'cluster'>>,
): PeerRequest[] {
  const others = new Map(hosts.filter(({ self }) => !self).map((host) => [host.name, host]));
  const parts = networks.flatMap(({ id, name: network, parts: all }) => {
    const cluster = own.get(id)?.cluster;
    return all.flatMap(({ host, subnets }): PeerRequest[] => {
      const address = others.get(host)?.address;
      if (cluster === undefined || address === undefined) return [];
      const reached = subnets.filter((subnet) => ofFamily(cluster, familyOfAddress(subnet)) !== undefined);
      return [{ name: `${host}/${network}`, address, subnets: reached, network }];
    });
  });
  return [...[...others.values()].map(({ name, address, subnets }) => ({ name, address, subnets })), ...parts];
}

/** One pass at a time; changes that arrive meanwhile are combined into the next one. */
export class ClusterSync implements ClusterNetworks {
  readonly #cluster: FollowedCluster;
  readonly #logger: Logger;
  readonly #waiting = new Set<() => void>();
  #networks: OwnNetworks | undefined;
  #refused: (problem: ClusterNetworkProblem) => void = () => undefined;
  #problems: Problems = new Map();
  #running: Promise<void> | undefined;
  #isPending = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(cluster: FollowedCluster, logger: Logger) {
    this.#cluster = cluster;
    this.#logger = logger;
  }

  /** Called once, before the first `sync`. @param refused called once for each problem */
  follow(networks: OwnNetworks, refused: (problem: ClusterNetworkProblem) => void): void {
    this.#networks = networks;
    this.#refused = refused;
  }

  sync(): Promise<void> {
    this.#isPending = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** A network that could not be removed or created may be able to now. */
  networkEvent({ action, driver }: Pick<NetworkEvent, 'action' | 'driver'>): void {
    const frees = action === 'destroy' || (action === 'disconnect' && driver === 'overlay');
    if (frees && this.#problems.size > 0) void this.sync();
  }

  async create(request: NewClusterNetwork): Promise<string> {
    const { id } = await this.#cluster.createNetwork({ ...request, id: newId() });
    try {
      await this.#until(() => {
        const problem = this.#problems.get(id);
        if (problem !== undefined) throw new NetyardError('conflict', `network ${request.name}: ${problem}`);
        return this.#has(id);
      }, `this host has got no part of network ${request.name}`);
    } catch (error) {
      await this.#cluster.removeNetwork(id).catch((failure: unknown) => {
        const { name: network } = request;
        this.#logger.error('a network that could not be created is left in the cluster', { network, error: failure });
      });
      throw error;
    }
    return id;
  }

  async remove(id: string): Promise<void> {
    await this.#cluster.removeNetwork(id);
    await this.#until(() => !this.#has(id) || this.#problems.has(id), 'the removal has not been reported by etcd');
  }

  #has = (id: string): boolean => this.#networks?.list().some((record) => record.id === id) === true;

  /** Waits for a condition that holds after a pass; throws `unavailable` after a timeout. */
  async #until(holds: () => boolean, what: string): Promise<void> {
    const timeout = AbortSignal.timeout(CREATE_TIMEOUT_MS);
    while (!holds()) {
      if (timeout.aborted) throw new NetyardError('unavailable', `${what} within ${CREATE_TIMEOUT_MS / 1000} s`);
      const next = Promise.withResolvers<void>();
      const wake = (): void => next.resolve();
      this.#waiting.add(wake);
      timeout.addEventListener('abort', wake, { once: true });
      await next.promise;
      timeout.removeEventListener('abort', wake);
      this.#waiting.delete(wake);
    }
  }

  async #run(): Promise<void> {
    while (this.#isPending && this.#networks) {
      this.#isPending = false;
      await new Promise((resolve) => setImmediate(resolve)); // collects changes that etcd reports together
      try {
        await this.#pass(this.#networks);
      } catch (error) {
        this.#logger.error('this host could not follow its cluster completely; retrying soon', { error });
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => void this.sync(), RETRY_MS).unref();
      }
      for (const wake of this.#waiting) wake();
    }
  }

  /** The parts of a removed network go before its bridge, those of a new one come after it. */
  async #pass(networks: OwnNetworks): Promise<void> {
    const desired = this.#cluster.networks();
    const hosts = this.#cluster.hosts();
    const listOwn = (): Map<string, NetworkRecord> =>
      new Map(networks.list().flatMap((record) => (record.cluster === undefined ? [] : [[record.id, record]])));
    const before = listOwn();
    await networks.setClusterPeers(planClusterPeers(hosts, desired, before));
    // While etcd is unreachable, the known state may be older than this host's networks.
    if (this.#cluster.view().connection === 'unreachable') return;
    this.#report(await networks.setClusterNetworks(desired));
    const after = listOwn();
    if ([...after].some(([id, { cluster }]) => !isDeepStrictEqual(before.get(id)?.cluster, cluster)))
      await networks.setClusterPeers(planClusterPeers(hosts, desired, after));
  }

  /** Each problem once. */
  #report(problems: readonly ClusterNetworkProblem[]): void {
    for (const one of problems) {
      if (this.#problems.get(one.id) === one.problem) continue;
      const { name: network, problem } = one;
      this.#logger.error('a network of the cluster is not as the cluster has it', { network, problem });
      this.#refused(one);
    }
    this.#problems = new Map(problems.map(({ id, problem }) => [id, problem]));
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    await this.#running;
  }
}
