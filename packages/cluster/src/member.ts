/**
 * This host as a member: on each connection it joins, then follows the other hosts, renews its leases and writes its
 * names until the connection ends. Known hosts stay known until the next one.
 */
import { once } from 'node:events';
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import { type HostAddresses, hostAddresses } from './address.ts';
import { AddressWatch } from './address-watch.ts';
import type {
  Cluster,
  ClusterChange,
  ClusterEndpoint,
  ClusterHost,
  ClusterNetwork,
  ClusterView,
  NewNetwork,
  PublishedName,
  Reservation,
} from './contract.ts';
import { Directory } from './directory.ts';
import { keepLeases } from './etcd/lease.ts';
import type { EtcdSession } from './etcd/session.ts';
import { type ClusterUrl, type EtcdEndpoint, formatEndpoint, parseClusterUrl } from './etcd/url.ts';
import type { KeyChange } from './etcd/watch.ts';
import { type Joined, renewalsOf } from './join.ts';
import { isForeign } from './key-ownership.ts';
import { KnownState } from './known-state.ts';
import { releaseMembership, releaseSubnets } from './leave.ts';
import type { MembershipFiles, SavedMembership } from './membership-file.ts';
import { createNetwork, removeNetwork } from './network-changes.ts';
import type { ClusterOptions } from './options.ts';
import { OwnMembership } from './own-membership.ts';
import { PartClaims } from './part-claims.ts';
import { defaultPool } from './pool.ts';
import { Publisher } from './publisher.ts';
import { Reconnection } from './reconnection.ts';
import {
  hasAddressChanged,
  type MembershipRequest,
  type StartedMembership,
  settledRequest,
  startMembership,
} from './start-membership.ts';

const START_TIMEOUT_MS = 10_000;
/** Of one operation, each on another connection. */
const ATTEMPTS = 3;

export class Member implements Cluster {
  readonly #options: ClusterOptions;
  readonly #url: ClusterUrl;
  readonly #own: OwnMembership;
  readonly #directory: Directory;
  readonly #known: KnownState;
  readonly #publisher: Publisher;
  readonly #claims: PartClaims;
  readonly #reconnection: Reconnection<EtcdEndpoint, StartedMembership>;
  readonly #addresses: HostAddresses;
  readonly #addressWatch: AddressWatch;
  readonly #listeners = new Set<(change: ClusterChange) => void>();
  #left = false;
  #leaving: Promise<unknown> = Promise.resolve();
  /** The subnet is in use and cannot be changed any more. */
  #bound = false;
  #entered: StartedMembership | undefined;
  /** Resolved while there is a connection, and when there is none for now. */
  #settled = Promise.withResolvers<void>();
  #connection: ClusterView['connection'] = 'unreachable';
  #reason = '';
  #hosts: readonly ClusterHost[] | undefined;

  constructor(options: ClusterOptions, files: MembershipFiles) {
    const { settings, logger, clock } = options;
    this.#options = options;
    this.#url = parseClusterUrl(settings.url);
    const { name: cluster, endpoints } = this.#url;
    this.#own = new OwnMembership({ cluster, settings, files, logger, since: clock.now() });
    const self = { cluster, id: this.#own.id };
    this.#directory = new Directory({ ...self, self: settings.hostName });
    this.#known = new KnownState({ cluster, directory: this.#directory, files, logger });
    this.#publisher = new Publisher(cluster, settings.hostName);
    this.#claims = new PartClaims({
      ...{ ...self, hostName: settings.hostName, networks: () => this.#directory.claimable() },
      full: ({ name, subnet, partSize }) =>
        logger.error('no part of a network is left for this host', { network: name, subnet, partSize }),
    });
    this.#addresses = options.addresses ?? hostAddresses;
    this.#addressWatch = new AddressWatch(this.#addresses, (own) => void this.#addressesChanged(own));
    this.#reconnection = new Reconnection({
      ...{ endpoints, random: options.random ?? Math.random },
      open: (endpoint) => startMembership(endpoint, this.#request(), this.#saveJoined),
      use: (entered) => this.#stay(entered),
      unreachable: (error) => {
        this.#reportConnection('unreachable', messageOf(error));
        this.#settled.resolve();
      },
      isOver: () => this.#left,
    });
  }

  /**
   * Joins, or continues with `usable`, the last membership, while etcd is unreachable. Rejects when neither is
   * possible.
   */
  async start(usable: SavedMembership | undefined): Promise<void> {
    this.#own.resume(usable);
    if (usable) this.#known.restore();
    this.#claims.changed();
    let first: StartedMembership | undefined;
    try {
      first = await this.#reconnection.openFirst(usable ? 0 : START_TIMEOUT_MS);
    } catch (error) {
      if (!usable || !isNetyardError(error, 'unavailable')) throw error;
      this.#reason = messageOf(error);
      this.#options.logger.warn('etcd is unreachable: started with the last known state', { reason: this.#reason });
    }
    this.#bound = true;
    this.#reconnection.start(first);
  }

  /** For the next connection. */
  #request(): MembershipRequest {
    const lastSubnet = this.#own.current?.subnet;
    return {
      ...settledRequest(this.#options.settings, this.#url),
      addresses: this.#addresses,
      networks: lastSubnet === undefined ? [] : this.#directory.networkEntries(),
      ...(lastSubnet === undefined ? {} : { lastSubnet }),
      ...{ id: this.#own.id, bound: this.#bound, now: this.#options.clock.now() },
    };
  }

  #saveJoined = (address: string, joined: Joined): void => {
    const before = this.#own.problem;
    this.#own.save(address, joined);
    this.#hosts = undefined;
    const { problem } = this.#own;
    if (problem !== before) this.#emit([{ type: 'membership', problem }]);
  };

  /** Keeps the membership up until the connection ends. */
  async #stay(entered: StartedMembership): Promise<void> {
    const { session, joined, watch, stop } = entered;
    const signal = AbortSignal.any([session.ended, stop.signal, this.#reconnection.closing]);
    this.#entered = entered;
    this.#settled.resolve();
    const unsettle = (): void => {
      this.#settled = Promise.withResolvers();
    };
    if (session.ended.aborted) unsettle();
    else session.ended.addEventListener('abort', unsettle, { once: true });
    this.#publisher.reset(joined.snapshot);
    this.#emit(this.#directory.replace(joined.snapshot.entries));
    this.#reportConnection('connected');
    const work: Promise<unknown>[] = [this.#follow(watch.batches)];
    if (joined.leases)
      work.push(
        keepLeases(session, renewalsOf(joined.leases, this.#options.settings), signal),
        this.#publisher.run(session, joined.leases.host, signal),
        this.#claims.run(session, joined.leases.subnet, signal),
      );
    // Without leases only the watch runs, and it does not notice a close by this process.
    const closed = signal.aborted ? undefined : once(signal, 'abort');
    const why = await Promise.race([...work, closed]).then(
      () => (signal.aborted ? messageOf(signal.reason) : 'the watch ended'),
      (error: unknown) => messageOf(session.ended.aborted ? session.ended.reason : error),
    );
    await this.#leaving; // leaving needs the connection and closes it
    this.#entered = undefined;
    stop.abort(new Error(why));
    session.close(new Error(why));
    await Promise.allSettled(work);
    this.#options.logger.debug('the connection to etcd ended', { reason: why });
  }

  async #follow(batches: AsyncIterable<KeyChange[]>): Promise<void> {
    const own = this.#own.keys();
    for await (const batch of batches) {
      this.#publisher.observe(batch);
      this.#emit(this.#directory.apply(batch));
      // Another program deleted or changed our keys: rejoining restores them or reports why it cannot.
      if (batch.some((change) => isForeign(change, own)))
        throw new Error('another program changed the keys of this host');
    }
  }

  #emit(changes: readonly ClusterChange[]): void {
    if (changes.length === 0) return;
    this.#hosts = undefined;
    if (changes.some(({ type }) => type === 'network')) this.#claims.changed();
    this.#known.changed();
    for (const change of changes) for (const listener of this.#listeners) listener(change);
  }

  #reportConnection(state: ClusterView['connection'], reason = ''): void {
    const changed = this.#connection !== state;
    this.#connection = state;
    this.#reason = reason;
    if (changed) this.#emit([{ type: 'connection', state, ...(reason === '' ? {} : { reason }) }]);
  }

  view(): ClusterView {
    const { settings } = this.#options;
    const { current, problem } = this.#own;
    return {
      name: this.#url.name,
      hostName: settings.hostName,
      subnet: current?.subnet ?? '',
      pool: current?.pool ?? { ...defaultPool, ...settings.pool },
      connection: this.#connection,
      reason: this.#reason,
      problem,
      endpoints: this.#url.endpoints.map(formatEndpoint),
    };
  }

  hosts(): readonly ClusterHost[] {
    this.#hosts ??= [this.#own.host(), ...this.#directory.hosts()];
    return this.#hosts;
  }

  names(): readonly PublishedName[] {
    return [...this.#publisher.names(), ...this.#directory.names()];
  }

  reservations = (): readonly Reservation[] => this.#directory.reservations();
  problems = (): ReturnType<Directory['problems']> => this.#directory.problems();

  publish(names: readonly Omit<PublishedName, 'host'>[]): void {
    const { set, removed } = this.#publisher.setDesired(names);
    this.#emit([
      ...removed.map((name) => ({ type: 'name', action: 'remove', name }) as const),
      ...set.map((name) => ({ type: 'name', action: 'set', name }) as const),
    ]);
  }

  changes(listener: (change: ClusterChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  networkChanged = (): void => this.#addressWatch.checkSoon();

  async #addressesChanged(own: readonly string[]): Promise<void> {
    this.#reconnection.retryNow(); // etcd may be reachable again
    const entered = this.#entered;
    if (entered && (await hasAddressChanged(entered, own, this.#request())))
      entered.session.close(new Error('this host’s address has changed'));
  }

  async leave(): Promise<void> {
    const { session, joined } = this.#requireConnection();
    this.#left = true; // from now on, changes of our keys are our own
    const work = releaseMembership(session, this.#url.name, joined.leases);
    this.#leaving = work.catch(() => undefined);
    try {
      await work;
    } catch (error) {
      this.#left = false;
      throw session.explain(error);
    }
    this.#own.forget();
    session.close(new Error('this host has left'));
    this.#settled.resolve();
    this.#publisher.setDesired([]);
    this.#publisher.setEndpoints([]);
    this.#emit(this.#directory.replace([]));
    this.#reportConnection('left');
  }

  release = (host: string): Promise<string[]> =>
    this.#connected((session) => releaseSubnets(session, this.#url.name, host));

  networks = (): ReturnType<Directory['networks']> => this.#directory.networks();
  endpoints = (): readonly ClusterEndpoint[] => this.#directory.endpoints();
  publishEndpoints = (endpoints: readonly Omit<ClusterEndpoint, 'host'>[]): void =>
    this.#publisher.setEndpoints(endpoints);

  createNetwork = (request: NewNetwork): Promise<ClusterNetwork> =>
    this.#connected((session) => {
      const surroundings = () => ({ pool: this.view().pool, hosts: this.hosts() });
      return createNetwork(session, this.#url.name, request, surroundings);
    });

  removeNetwork = (id: string): Promise<void> =>
    this.#connected(async (session, isRepeated) => {
      const network = this.networks().find((one) => one.id === id);
      if (!network && isRepeated) return; // removed, without an answer
      if (!network) throw new NetyardError('not-found', `network ${id} not found`);
      await removeNetwork(session, this.#url.name, network, this.#options.settings.hostName, isRepeated);
    });

  /**
   * Repeats work on another connection: this one may end because of any other call that etcd does not answer in time. What
   * is repeated may have been done before, without an answer. Throws `unavailable` without a connection.
   */
  async #connected<T>(work: (session: EtcdSession, isRepeated: boolean) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (this.#connection === 'connected') await this.#settled.promise;
      const { session } = this.#requireConnection();
      try {
        return await work(session, attempt > 1);
      } catch (error) {
        const explained = session.explain(error);
        if (attempt === ATTEMPTS || !isNetyardError(explained, 'unavailable')) throw explained;
        session.close(explained);
      }
    }
  }

  #requireConnection(): StartedMembership {
    if (this.#entered) return this.#entered;
    if (this.#left) throw new NetyardError('conflict', `this host has left cluster ${this.#url.name}`);
    throw new NetyardError('unavailable', `etcd is unreachable: ${this.#reason}`);
  }

  async close(): Promise<void> {
    this.#addressWatch.close();
    await this.#reconnection.close(new Error('the cluster was closed'));
    this.#settled.resolve();
    this.#known.close();
  }
}
