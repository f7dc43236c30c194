/**
 * Follows the engine and its networks, and writes what happens to containers' networks into the journal. An error in here
 * never reaches the operation that it records.
 */
import { type Clock, type Logger, messageOf } from '@netyard/core';
import type { EngineEvent, EventStream } from '@netyard/engine';
import type { Kernel, KernelObject, NetworkChange } from '@netyard/kernel';
import type { NetworkEvent } from '@netyard/network';
import type { PeerRequest } from '@netyard/peers';
import type { ContainerDirectory, Networks, SandboxState } from '@netyard/sandbox';
import type { JournalEntry } from './entry.ts';
import { ForeignChanges } from './foreign.ts';
import { ForeignRate } from './foreign-rate.ts';
import { isLinkOf, isOwnLink } from './own-links.ts';
import { describeRepairs, type ObjectPrinter, type RepairContext } from './repairs.ts';
import { Repeats } from './repeats.ts';
import type { StateRecorder } from './state/state-recorder.ts';

export interface RecorderOptions {
  note(entry: Omit<JournalEntry, 'time'>): void;
  /** Records states of the network. */
  states: Pick<StateRecorder, 'watch' | 'noteChange' | 'noteContainer'>;
  printer: ObjectPrinter;
  clock: Clock;
  logger: Logger;
}

/** What is remembered of a running container for its end. */
interface Place {
  text: string;
  names: readonly string[];
}

type Peer = Pick<PeerRequest, 'name' | 'address' | 'subnets'>;

/** What objects of a peer have, with its name. */
const keysOf = ({ name, address, subnets }: Peer): [key: string, name: string][] =>
  [address, ...subnets].map((key) => [key, name]);

/** How often counts of repeated repairs are looked for. */
const countMilliseconds = 60_000;
/** Of containers and of hosts. */
const recordedEvents = ['start', 'die', 'rename', 'publish', 'unpublish', 'create', 'update', 'remove'];

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #places = new Map<string, Place>();
  /** Names of peers, by address and by subnet; those of the cluster are replaced together. */
  readonly #peers = new Map<string, string>();
  #clusterPeers = new Map<string, string>();
  readonly #repeats = new Repeats();
  readonly #foreign = new ForeignChanges();
  readonly #foreignRate = new ForeignRate();
  #timer: NodeJS.Timeout | undefined;
  readonly #stop = new AbortController();
  #networks: Networks | undefined;
  #containers: ContainerDirectory | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** The same networks; their events are recorded, and peers that are added and removed. */
  followNetworks(networks: Networks, containers: ContainerDirectory): Networks {
    this.#networks = networks;
    this.#containers = containers;
    networks.events((event) => this.#safely(() => this.#noteNetwork(event)));
    return {
      ...networks,
      start: async (running, options) => {
        await networks.start(running, options);
        await this.#readState(networks, running);
      },
      addPeer: async (request) => {
        const added = await networks.addPeer(request);
        this.#safely(() => this.#notePeer('added', request));
        return added;
      },
      removePeer: async (name) => {
        const { record } = await networks.peer(name);
        await networks.removePeer(name);
        this.#safely(() => this.#notePeer('removed', record));
      },
      setClusterPeers: async (requests) => {
        this.#clusterPeers = new Map(requests.flatMap(keysOf));
        return await networks.setClusterPeers(requests);
      },
    };
  }

  /** Records events of containers and hosts until `close`. Called before the engine starts. */
  followEvents(events: EventStream): void {
    void this.#readEvents(events).catch((error: unknown) => this.#report(error));
    this.#timer = setInterval(() => {
      const now = this.#options.clock.now();
      for (const entry of [...this.#repeats.takeCounts(now), ...this.#foreignRate.takeCount(now)])
        this.#options.note(entry);
    }, countMilliseconds).unref();
  }

  /** Records what other programs change, until `close`. */
  followKernel(kernel: Pick<Kernel, 'watchChanges' | 'listLinks'>): void {
    void this.#readChanges(kernel).catch((error: unknown) => this.#report(error));
  }

  async #readChanges(kernel: Pick<Kernel, 'watchChanges' | 'listLinks'>): Promise<void> {
    const changes = kernel.watchChanges(this.#stop.signal);
    const { states } = this.#options;
    try {
      states.watch(true);
      this.#foreign.learn(await kernel.listLinks());
      for await (const change of changes) {
        states.noteChange(change);
        this.#safely(() => this.#noteChange(change));
      }
    } finally {
      states.watch(false);
    }
  }

  /** Places of containers that run already, and the peers that exist. */
  async #readState(networks: Networks, running: readonly string[]): Promise<void> {
    try {
      for (const id of running) this.#rememberPlace(id);
      for (const { record } of await networks.peers())
        for (const [key, name] of keysOf(record)) this.#peers.set(key, name);
    } catch (error) {
      this.#report(error);
    }
  }

  close(): void {
    this.#stop.abort();
    clearInterval(this.#timer);
    for (const entry of [...this.#repeats.takeAll(), ...this.#foreignRate.takeAll()]) this.#options.note(entry);
  }

  /** A subscription ends when its reader is thousands of events behind: then the next one begins. */
  async #readEvents(events: EventStream): Promise<void> {
    const { signal } = this.#stop;
    const filters = new Map([
      ['type', ['container', 'node']],
      ['event', recordedEvents],
    ]);
    while (!signal.aborted) {
      for await (const event of events.subscribe({ since: undefined, until: undefined, filters, signal }))
        this.#safely(() => this.#noteEvent(event));
    }
  }

  #noteNetwork(event: NetworkEvent): void {
    const { action, networkId, networkName, driver, containerId, detail = '' } = event;
    const container = containerId === undefined ? undefined : this.#nameOf(containerId);
    const names = [networkName, networkId, ...(containerId === undefined ? [] : [container ?? '', containerId])];
    const object = container === undefined ? `network ${networkName}` : `container ${container}`;
    if (action === 'repair') this.#noteRepairs(event, object, names);
    else if (action === 'repair-failed' || action === 'refuse' || action === 'conflict' || action === 'conflict-end')
      this.#noteRepeatable({ kind: action, object, text: sentences[action](detail), commands: [], names });
    else if (containerId === undefined) this.#note('network', object, `${changes[action]} (driver ${driver})`, names);
    else {
      if (action === 'connect') this.#rememberPlace(containerId);
      else if (action === 'disconnect') this.#options.states.noteContainer(containerId);
      const place = this.#placeOf(containerId, networkId);
      const text = `container ${container ?? containerId.slice(0, 12)} ${changes[action]}${place.text}`;
      this.#note('network', `network ${networkName}`, text, [...names, ...place.names]);
    }
  }

  #noteRepairs({ operations = [] }: NetworkEvent, object: string, names: readonly string[]): void {
    const { printer } = this.#options;
    const now = this.#options.clock.now();
    const context: RepairContext = {
      ...{ object, names, printer },
      peersOf: (one) => this.#peersOf(one),
      explain: (one) => this.#foreign.explain(one, now),
    };
    for (const { entry, key } of describeRepairs(operations, context)) this.#noteRepeatable(entry, key);
  }

  #noteRepeatable(entry: Omit<JournalEntry, 'time'>, key?: string): void {
    for (const due of this.#repeats.take(entry, this.#options.clock.now(), key)) this.#options.note(due);
  }

  #noteChange(change: NetworkChange): void {
    const now = this.#options.clock.now();
    const found = this.#foreign.take(change, now);
    if (!found) return;
    const { entry, key, link } = found;
    // Repairs of these are recorded. Before the search for users, which takes longer the more containers there are: each
    // start of a container changes such links several times.
    if (link !== undefined && isOwnLink(link)) return;
    const users = entry.names.flatMap((name) => this.#usersOf(name));
    if (link !== undefined && users.length > 0) return;
    const names = [...entry.names, ...users];
    if (this.#foreignRate.isWithin(now)) this.#noteRepeatable({ ...entry, names: unique(names) }, key);
  }

  /** The network of a bridge or a segment, and the container of an interface on the host. */
  #usersOf(link: string): string[] {
    const networks = this.#networks?.list() ?? [];
    const network = networks.find((one) => isLinkOf(one, link));
    const [containerId] = [...this.#places].find(([, { names }]) => names.includes(link)) ?? [];
    return [
      ...(network ? [network.name, network.id] : []),
      ...(containerId === undefined ? [] : [this.#nameOf(containerId) ?? '', containerId]),
    ];
  }

  #noteEvent({ type, action, actorId, attributes }: EngineEvent): void {
    const name = attributes['name'] ?? '';
    if (type === 'node') {
      const change = nodeChanges[action];
      const { address = '', subnet = '' } = attributes;
      if (change && subnet !== '')
        this.#note('peer', `host ${name}`, `${change}: ${address}, ${subnet}`, [name, address, ...subnet.split(',')]);
      return;
    }
    const { ports = '', exitCode = '', oldName = '' } = attributes;
    const object = `container ${name}`;
    const names = [name, actorId];
    if (action === 'start') this.#rememberPlace(actorId);
    const place = this.#places.get(actorId) ?? { text: '', names: [] };
    const texts: Readonly<Record<string, string>> = {
      start: `started${place.text}`,
      die: `stopped with exit code ${exitCode}${place.text}`,
      rename: `renamed from ${oldName.replace(/^\//, '')}`,
      publish: `ports published: ${ports}`,
      unpublish: `ports no longer published: ${ports}`,
    };
    const text = texts[action];
    if (text !== undefined) this.#note('container', object, text, [...names, ...place.names]);
    if (action === 'die') {
      this.#places.delete(actorId);
      this.#options.states.noteContainer(actorId);
    }
    if (action === 'publish' || action === 'unpublish') this.#rememberPlace(actorId);
  }

  #notePeer(change: 'added' | 'removed', peer: Peer): void {
    const { name, address, subnets } = peer;
    for (const [key] of keysOf(peer))
      if (change === 'added') this.#peers.set(key, name);
      else this.#peers.delete(key);
    this.#note('peer', `peer ${name}`, `${change}: ${address}, ${subnets.join(', ')}`, [name, address, ...subnets]);
  }

  #note(kind: string, object: string, text: string, names: readonly string[]): void {
    this.#options.note({ kind, object, text, commands: [], names: unique(names) });
  }

  /** Peers whose subnet or address the object has. */
  #peersOf(object: KernelObject): string[] {
    const texts = Object.values(object).filter((value) => typeof value === 'string');
    return texts
      .flatMap((text) => [text, ...text.split(' . ')])
      .flatMap((text) => this.#peers.get(text) ?? this.#clusterPeers.get(text) ?? []);
  }

  #rememberPlace(containerId: string): void {
    this.#options.states.noteContainer(containerId);
    const state = this.#networks?.state(containerId);
    if (state) this.#places.set(containerId, { text: describePlace(state), names: namesOfPlace(state.endpoints) });
  }

  /** Of the container on this network, if it still is there. */
  #placeOf(containerId: string, networkId: string): Place {
    const endpoints = this.#networks?.state(containerId)?.endpoints.filter((one) => one.networkId === networkId) ?? [];
    const addresses = endpoints.flatMap(addressesOf);
    return {
      text: addresses.length === 0 ? '' : `: ${addresses.join(', ')}`,
      names: [...addresses, ...namesOfPlace(endpoints)],
    };
  }

  #nameOf(containerId: string): string | undefined {
    return this.#containers?.info(containerId)?.name;
  }

  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    this.#options.logger.warn('an event is missing in the journal', { error: messageOf(error) });
  }
}

const unique = (names: readonly string[]): string[] => [...new Set(names)].filter((name) => name !== '');

const changes = { create: 'created', destroy: 'removed', connect: 'connected', disconnect: 'disconnected' };

const sentences = {
  'repair-failed': (detail: string) => `the repair failed: ${detail}`,
  refuse: (detail: string) => `refused: ${detail}`,
  conflict: (detail: string) => detail,
  'conflict-end': (detail: string) => `no longer so: ${detail}`,
};

/** Of hosts of the cluster; the other actions concern this host's connection. */
const nodeChanges: Readonly<Record<string, string>> = { create: 'joined', update: 'changed', remove: 'left' };

type Endpoint = SandboxState['endpoints'][number];

const addressesOf = ({ addresses }: Endpoint): string[] => Object.values(addresses).map(({ address }) => address);

const namesOfPlace = (endpoints: readonly Endpoint[]): string[] =>
  endpoints.flatMap(({ hostLink, networkName }) => [hostLink, networkName]).filter((name) => name !== '');

/** `: 172.17.0.2 on bridge; 0.0.0.0:8801 -> 80/tcp`. */
function describePlace({ endpoints, ports }: SandboxState): string {
  const places = endpoints.flatMap((one) => addressesOf(one).map((address) => `${address} on ${one.networkName}`));
  const published = ports.map(
    ({ hostAddress, hostPort, containerPort, protocol }) =>
      `${hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress}:${hostPort} -> ${containerPort}/${protocol}`,
  );
  const parts = [places.join(', '), published.join(', ')].filter((part) => part !== '');
  return parts.length === 0 ? '' : `: ${parts.join('; ')}`;
}
