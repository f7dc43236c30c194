/**
 * This host as a member: connects to an endpoint, joins, then follows the other hosts, renews its leases and writes its
 * names until the connection ends; then tries the next endpoint. Known hosts stay known meanwhile.
 */
import { once } from 'node:events';
import { formatIp, type Logger, messageOf, NetyardError } from '@netyard/core';
import { announcedAddress, type HostAddresses, hostAddresses } from './address.ts';
import { announcedApi } from './api.ts';
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
import type { Joined } from './join.ts';
import { isForeign } from './key-ownership.ts';
import { deletePoolIfUnused, releaseSubnets, revokeLeases } from './leave.ts';
import type { MembershipFiles, SavedMembership } from './membership-file.ts';
import { createNetwork, removeNetwork } from './network-changes.ts';
import type { ClusterOptions } from './options.ts';
import { PartClaims } from './part-claims.ts';
import { defaultPool } from './pool.ts';
import { Publisher } from './publisher.ts';
import { combineErrors, delayAfter, pause, Rotation } from './retry.ts';
import { type StartedMembership, startMembership } from './start-membership.ts';

/** After a connection that lasted at least this long, the next one is opened without delay. */
const STABLE_MS = 5_000;
const START_TIMEOUT_MS = 10_000;
const START_RETRY_MS = 500;
const SAVE_DELAY_MS = 500;
const ADDRESS_CHECK_DELAY_MS = 100;

export class Member implements Cluster {
  readonly #options: ClusterOptions;
  readonly #logger: Logger;
  readonly #url: ClusterUrl;
  readonly #files: MembershipFiles;
  readonly #directory: Directory;
  readonly #publisher: Publisher;
  readonly #claims: PartClaims;
  readonly #rotation: Rotation<EtcdEndpoint>;
  readonly #listeners = new Set<(change: ClusterChange) => void>();
  readonly #addresses: HostAddresses;
  readonly #random: () => number;
  readonly #closing = new AbortController();
  #left = false;
  #leaving: Promise<unknown> = Promise.resolve();
  #membership: SavedMembership | undefined;
  /** The subnet is in use and cannot be changed any more. */
  #bound = false;
  #since: bigint;
  #entered: StartedMembership | undefined;
  #connection: ClusterView['connection'] = 'unreachable';
  #reason = '';
  #problem = '';
  #hosts: readonly ClusterHost[] | undefined;
  /** This host's addresses at the last check. */
  #lastAddresses: string;
  #waiting: AbortController | undefined;
  #saving: NodeJS.Timeout | undefined;
  #addressCheck: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ClusterOptions, files: MembershipFiles) {
    const { settings, logger, clock } = options;
    this.#options = options;
    this.#logger = logger;
    this.#files = files;
    this.#url = parseClusterUrl(settings.url);
    const self = { cluster: this.#url.name, id: files.member().id };
    this.#directory = new Directory({ ...self, self: settings.hostName });
    this.#publisher = new Publisher(this.#url.name, settings.hostName);
    this.#claims = new PartClaims({
      ...{ ...self, hostName: settings.hostName, networks: () => this.#directory.claimable() },
      full: ({ name, subnet, partSize }) =>
        logger.error('no part of a network is left for this host', { network: name, subnet, partSize }),
    });
    this.#addresses = options.addresses ?? hostAddresses;
    this.#lastAddresses = this.#addresses.prefixes().map(formatIp).join();
    this.#random = options.random ?? Math.random;
    this.#since = clock.now();
    const first = Math.floor(this.#random() * this.#url.endpoints.length);
    this.#rotation = new Rotation(this.#url.endpoints, first);
  }

  /**
   * Joins, or continues with `usable`, the last membership, while etcd is unreachable. Rejects when neither is
   * possible.
   */
  async start(usable: SavedMembership | undefined): Promise<void> {
    this.#membership = usable;
    const known = this.#files.known();
    if (usable && known?.cluster === this.#url.name) this.#directory.restore(known.entries);
    this.#claims.changed();
    const deadline = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const round = await this.#rotation.tryAll((endpoint) => this.#enter(endpoint), this.#closing.signal);
      if ('entered' in round) {
        this.#bound = true;
        this.#running = this.#run(round.entered);
        return;
      }
      const error = combineErrors(round.errors);
      if (error.code !== 'unavailable') throw error;
      if (usable) return this.#startOffline(error);
      if (performance.now() > deadline) throw error;
      await pause(START_RETRY_MS, this.#closing.signal);
    }
  }

  #startOffline(error: NetyardError): void {
    this.#bound = true;
    this.#reason = messageOf(error);
    this.#logger.warn('etcd is unreachable: started with the last known state', { reason: this.#reason });
    this.#running = this.#run(undefined);
  }

  async #run(first: StartedMembership | undefined): Promise<void> {
    let entered = first;
    for (let failures = first ? 0 : 1; ; failures++) {
      if (entered) {
        const began = performance.now();
        const why = await this.#stay(entered);
        this.#logger.debug('the connection to etcd ended', { reason: why });
        if (performance.now() - began > STABLE_MS) failures = 0;
      }
      if (failures > 0 && !this.#isOver()) await this.#pause(delayAfter(failures, this.#random()));
      if (this.#isOver()) return;
      const round = await this.#rotation.tryAll((endpoint) => this.#enter(endpoint), this.#closing.signal);
      entered = 'entered' in round ? round.entered : undefined;
      if ('errors' in round && !this.#isOver())
        this.#reportConnection('unreachable', messageOf(combineErrors(round.errors)));
    }
  }

  async #enter(endpoint: EtcdEndpoint): Promise<StartedMembership> {
    const { settings, clock } = this.#options;
    const addresses = this.#addresses;
    const { leaseSeconds, reservationSeconds, hostName, pool, requiredSubnet, tls, api: listeners = [] } = settings;
    const { user, name: cluster } = this.#url;
    const lastSubnet = this.#membership?.subnet;
    return await startMembership(
      endpoint,
      {
        ...{ cluster, hostName, pool, leaseSeconds, reservationSeconds, listeners },
        ...{ addresses, address: settings.address },
        networks: lastSubnet === undefined ? [] : this.#directory.networkEntries(),
        ...(requiredSubnet === undefined ? {} : { requiredSubnet }),
        ...(lastSubnet === undefined ? {} : { lastSubnet }),
        ...{ id: this.#files.member().id, bound: this.#bound, now: clock.now() },
        access: { ...(user ? { user } : {}), ...(tls ? { tls } : {}) },
      },
      (address, joined) => this.#saveJoined(address, joined),
    );
  }

  /** Called immediately after etcd has confirmed the membership: it is saved before it is used. */
  #saveJoined(address: string, { pool, subnet, since, lostTo }: Joined): void {
    const before = this.#membership;
    if (before && before.subnet !== subnet)
      this.#logger.warn('the subnet of this host has changed', { before: before.subnet, now: subnet });
    this.#membership = { cluster: this.#url.name, hostName: this.#options.settings.hostName, address, subnet, pool };
    this.#since = since;
    this.#hosts = undefined;
    this.#files.putMembership(this.#membership);
    const problem = lostTo
      ? `${subnet} belongs to host ${lostTo.host} now: this host was disconnected for longer than its reservation. Other hosts cannot reach its containers; restart the daemon to get another subnet`
      : '';
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#emit([{ type: 'membership', problem }]);
  }

  /** Keeps the membership up until the connection ends, and returns the reason. */
  async #stay(entered: StartedMembership): Promise<string> {
    const { session, joined, watch, stop } = entered;
    const signal = AbortSignal.any([session.ended, stop.signal, this.#closing.signal]);
    this.#entered = entered;
    this.#publisher.reset(joined.snapshot);
    this.#emit(this.#directory.replace(joined.snapshot.entries));
    this.#reportConnection('connected');
    const work: Promise<unknown>[] = [this.#follow(watch.batches)];
    if (joined.leases) {
      const { leaseSeconds, reservationSeconds } = this.#options.settings;
      const leases = [
        { id: joined.leases.host, everyMs: (leaseSeconds * 1000) / 3 },
        { id: joined.leases.subnet, everyMs: (reservationSeconds * 1000) / 20 },
      ];
      work.push(
        keepLeases(session, leases, signal),
        this.#publisher.run(session, joined.leases.host, signal),
        this.#claims.run(session, joined.leases.subnet, signal),
      );
    }
    // Without leases only the watch runs, and it does not notice a close by this process.
    const closed = signal.aborted ? undefined : once(signal, 'abort');
    const why = await Promise.race([...work, closed]).then(
      () => (signal.aborted ? messageOf(signal.reason) : 'the watch ended'),
      (error: unknown) => messageOf(session.ended.aborted ? session.ended.reason : error),
    );
    await this.#leaving; // leaving needs the connection and closes it
    this.#entered = undefined;
    stop.abort(new Error(why));
    session.close();
    await Promise.allSettled(work);
    return why;
  }

  async #follow(batches: AsyncIterable<KeyChange[]>): Promise<void> {
    const { hostName } = this.#options.settings;
    const own = {
      cluster: this.#url.name,
      hostName,
      id: this.#files.member().id,
      subnet: this.#membership?.subnet ?? '',
    };
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
    this.#saving ??= setTimeout(() => this.#save(), SAVE_DELAY_MS).unref();
    for (const change of changes) for (const listener of this.#listeners) listener(change);
  }

  #reportConnection(state: ClusterView['connection'], reason = ''): void {
    const changed = this.#connection !== state;
    this.#connection = state;
    this.#reason = reason;
    if (changed) this.#emit([{ type: 'connection', state, ...(reason === '' ? {} : { reason }) }]);
  }

  #save(): void {
    clearTimeout(this.#saving);
    this.#saving = undefined;
    try {
      this.#files.putKnown({ cluster: this.#url.name, entries: this.#directory.save() });
    } catch (error) {
      this.#logger.error('cannot save the known state of the cluster', { error });
    }
  }

  view(): ClusterView {
    const { settings } = this.#options;
    return {
      name: this.#url.name,
      hostName: settings.hostName,
      subnet: this.#membership?.subnet ?? '',
      pool: this.#membership?.pool ?? { ...defaultPool, ...settings.pool },
      connection: this.#connection,
      reason: this.#reason,
      problem: this.#problem,
      endpoints: this.#url.endpoints.map(formatEndpoint),
    };
  }

  hosts(): readonly ClusterHost[] {
    const { address = '', subnet } = this.#membership ?? {};
    const { hostName: name, api: listeners = [] } = this.#options.settings;
    const api = address === '' ? undefined : announcedApi(listeners, address);
    const self = { name, address, since: this.#since, self: true, ...(api === undefined ? {} : { api }) };
    this.#hosts ??= [{ ...self, subnets: subnet === undefined ? [] : [subnet] }, ...this.#directory.hosts()];
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

  networkChanged(): void {
    this.#addressCheck ??= setTimeout(() => void this.#checkAddresses(), ADDRESS_CHECK_DELAY_MS).unref();
  }

  async #checkAddresses(): Promise<void> {
    this.#addressCheck = undefined;
    const own = this.#addresses.prefixes().map(formatIp);
    if (own.join() === this.#lastAddresses) return;
    this.#lastAddresses = own.join();
    this.#waiting?.abort(); // etcd may be reachable again
    const entered = this.#entered;
    if (!entered) return;
    const local = entered.session.localAddress() ?? '';
    const isGone = local !== '' && !local.startsWith('127.') && !own.includes(local);
    const { address: configured } = this.#options.settings;
    const now = await announcedAddress(entered.session, this.#addresses, this.#membership?.subnet).catch(() => '');
    const hasMoved = configured === undefined && now !== '' && now !== entered.address;
    if (isGone || hasMoved) entered.session.close(new Error('this host’s address has changed'));
  }

  async leave(): Promise<void> {
    const { session, joined } = this.#requireConnection();
    this.#left = true; // from now on, changes of our keys are our own
    const work = this.#release(session, joined);
    this.#leaving = work.catch(() => undefined);
    try {
      await work;
    } catch (error) {
      this.#left = false;
      throw session.explain(error);
    }
    this.#files.putMembership(undefined);
    session.close(new Error('this host has left'));
    this.#publisher.setDesired([]);
    this.#publisher.setEndpoints([]);
    this.#emit(this.#directory.replace([]));
    this.#reportConnection('left');
  }

  async #release(session: EtcdSession, { leases }: Joined): Promise<void> {
    if (leases) await revokeLeases(session, leases);
    await deletePoolIfUnused(session, this.#url.name);
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
    this.#connected(async (session) => {
      const network = this.networks().find((one) => one.id === id);
      if (!network) throw new NetyardError('not-found', `network ${id} not found`);
      await removeNetwork(session, this.#url.name, network, this.#options.settings.hostName);
    });

  /** Throws `unavailable` without a connection. */
  async #connected<T>(work: (session: EtcdSession) => Promise<T>): Promise<T> {
    const { session } = this.#requireConnection();
    try {
      return await work(session);
    } catch (error) {
      throw session.explain(error);
    }
  }

  #requireConnection(): StartedMembership {
    if (this.#entered) return this.#entered;
    if (this.#left) throw new NetyardError('conflict', `this host has left cluster ${this.#url.name}`);
    throw new NetyardError('unavailable', `etcd is unreachable: ${this.#reason}`);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the cluster was closed'));
    this.#waiting?.abort();
    clearTimeout(this.#addressCheck);
    await this.#running;
    if (this.#saving) this.#save();
  }

  #isOver = (): boolean => this.#left || this.#closing.signal.aborted;

  async #pause(milliseconds: number): Promise<void> {
    this.#waiting = new AbortController();
    await pause(milliseconds, this.#waiting.signal);
    this.#waiting = undefined;
  }
}
