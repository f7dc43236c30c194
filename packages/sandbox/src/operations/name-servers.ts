/**
 * The name servers of containers: one UDP and one TCP socket per namespace, at 127.0.0.11 port 53 inside of it. They
 * answer from the names that the container can resolve, and forward other queries.
 */
import { type Logger, messageOf } from '@netyard/core';
import {
  type Asker,
  bareAnswer,
  decideAnswer,
  dnsPort,
  type EndpointIndex,
  Forwarder,
  findEndpoints,
  findName,
  isFailure,
  type KnownName,
  type NameIndex,
  NameServer,
  type NameSource,
  type Question,
  rcodes,
  ServerHealth,
  type Transport,
  type Upstreams,
} from '@netyard/dns';
import { hasErrno, type openListenerInNetns, openSocketInNetns } from '@netyard/kernel';
import type { ContainerDirectory, NetworkRecord, NetworkSettings, RemoteName } from '../contract.ts';
import type { ResolvConf } from '../files/resolv-conf.ts';
import { listHolders, type NameServerFailure } from '../inspection/report.ts';
import type { Sandbox } from '../lookup.ts';
import { askerOf, namedEndpoints } from '../names/asker.ts';
import {
  asksOurServer,
  chooseUpstreams,
  keepsSingleLabels,
  serverAddress,
  servesDns,
  upstreamsOf,
} from '../names/resolvers.ts';
import { HostResolvConf } from './host-resolv-conf.ts';
import { NameServerFailures } from './name-server-failures.ts';
import { type SharedNamespaceDependencies, sharersOf } from './shared-namespace.ts';

/** Dependencies of the functions in this file. */
export interface NameServersDependencies extends SharedNamespaceDependencies {
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly containers: ContainerDirectory;
  readonly sandboxes: Map<string, Sandbox>;
  readonly networks: Map<string, NetworkRecord>;
}

/** What the servers answer from. */
export interface ServedNames {
  /** Names on user-defined networks. */
  endpoints(): EndpointIndex;
  /** The project of a container of another host. */
  projectOf(containerId: string): string | undefined;
  /** Names of the cluster; undefined without one. */
  cluster(): NameIndex | undefined;
  reportAmbiguous(ambiguous: { name: string; of: readonly RemoteName[] }): void;
}

export interface NameServersOptions {
  /** Opens a socket inside a namespace. */
  listen: typeof openListenerInNetns;
  /** Called for each answer to a container, with its response code. */
  noteAnswer?: ((rcode: number) => void) | undefined;
}

/** Limit for pending queries to upstream name servers, over all containers; each holds up to three sockets. */
const maxForwarded = 1024;

interface Served {
  server: NameServer;
  path: string;
  ownerId: string;
  asker: Asker;
  /** It is or was on a user-defined network; otherwise it asks for names of the cluster only. */
  onNetworks: boolean;
  /** It has a network that is not internal, so that it may have the host's servers asked. */
  isConnected: boolean;
  /** Of the servers that are asked from its namespace. */
  health: ServerHealth;
}

export class NameServers {
  readonly #context: () => NameServersDependencies;
  readonly #names: ServedNames;
  readonly #options: NameServersOptions;
  readonly #forwarder = new Forwarder({ limit: maxForwarded });
  readonly #hostHealth = new ServerHealth();
  #hostFile: HostResolvConf | undefined;
  /** By the id of the container that owns the namespace. */
  readonly #served = new Map<string, Served>();
  /** Logged once, and tried again at each change of the container and by a timer. */
  readonly #failures = new NameServerFailures((ownerId) => this.reconcile(ownerId));

  constructor(context: () => NameServersDependencies, names: ServedNames, options: NameServersOptions) {
    this.#context = context;
    this.#names = names;
    this.#options = options;
  }

  /** A namespace, and with it its name server, lives on after its owner stops while other containers share it. */
  reconcile(ownerId: string): void {
    const context = this.#context();
    const owner = context.sandboxes.get(ownerId);
    const path = owner?.state?.netnsPath ?? sharersOf(context, ownerId)[0]?.state?.netnsPath;
    const served = this.#served.get(ownerId);
    if (path === undefined) {
      served?.server.close();
      this.#served.delete(ownerId);
      this.#failures.delete(ownerId);
    } else if (served && owner) {
      Object.assign(served, this.#factsOf(owner));
      if (this.#failures.has(ownerId)) this.#listen(served, owner);
    } else if (owner) this.#open(path, owner);
    else this.#failures.delete(ownerId);
  }

  failures(): readonly NameServerFailure[] {
    return this.#failures.values();
  }

  close(): void {
    for (const { server } of this.#served.values()) server.close();
    this.#served.clear();
    this.#failures.close();
  }

  /** What the answers to a container depend on; updated whenever its endpoints change. */
  #factsOf({ config, state }: Sandbox): Pick<Served, 'asker' | 'onNetworks' | 'isConnected'> {
    const { networks, containers } = this.#context();
    const isInternal = (id: string): boolean => networks.get(id)?.internal === true;
    const onNetworks =
      namedEndpoints(state).length > 0 ||
      state?.nameServer === true ||
      (state === undefined && config.endpoints.some(({ network }) => this.#isUserDefined(network)));
    return {
      asker: askerOf(config, state, { project: containers.info(config.containerId)?.project, isInternal }),
      onNetworks,
      isConnected: state?.endpoints.some(({ networkId }) => !isInternal(networkId)) === true,
    };
  }

  #isUserDefined(name: string): boolean {
    return [...this.#context().networks.values()].some((record) => record.name === name && !record.predefined);
  }

  /** On failure the container runs without names of its networks, as in Docker. */
  #open(path: string, owner: Sandbox): void {
    const { config } = owner;
    const facts = this.#factsOf(owner);
    if (!facts.onNetworks && !(this.#names.cluster() && asksOurServer(config))) {
      this.#failures.delete(config.containerId);
      return;
    }
    const udp = this.#openSocket(path, owner, 'udp');
    if (udp === undefined) return;
    const { noteAnswer } = this.#options;
    const answer = (query: Buffer, transport: Transport) => this.#answer(served, query, transport);
    const { logger } = this.#context();
    const server = new NameServer({ udp, answer, noteAnswer, logger, container: config.name });
    const served: Served = { ...facts, server, path, ownerId: config.containerId, health: new ServerHealth() };
    this.#served.set(config.containerId, served);
    this.#listen(served, owner);
  }

  /** Opens the TCP socket; without it, names resolve over UDP. */
  #listen({ server, path, ownerId }: Served, owner: Sandbox): void {
    // The TCP port of a container that is a name server itself stays free, because two listeners exclude each other.
    if (!servesDns(owner.config)) {
      const tcp = this.#openSocket(path, owner, 'tcp');
      if (tcp === undefined) return;
      server.listen(tcp);
    }
    if (!this.#failures.delete(ownerId)) return;
    this.#context().logger.info("a container's name server is open now", { container: owner.config.name });
  }

  /** Undefined on failure, which is logged once and tried again. */
  #openSocket(path: string, { config }: Sandbox, protocol: Transport): number | undefined {
    const { name: container, containerId } = config;
    try {
      return this.#options.listen(path, { protocol, address: serverAddress, port: dnsPort, shared: true }).fd;
    } catch (error) {
      const failure = { container, netnsPath: path, protocol, error: messageOf(error) };
      if (!this.#failures.set(containerId, failure)) return undefined;
      const hint = hasErrno(error, 'EADDRINUSE')
        ? { hint: `find the process that listens there: ${listHolders(path)}` }
        : {};
      const message = "a container's name server could not be opened; it is tried again";
      this.#context().logger.error(message, { container, error: failure.error, ...hint });
      return undefined;
    }
  }

  #answer(served: Served, query: Buffer, transport: Transport): Promise<Buffer> | Buffer | undefined {
    const decision = decideAnswer(query, this.#sourceOf(served), transport);
    if (decision.kind === 'drop') return undefined;
    if (decision.kind === 'forward') return this.#forward(served, query, decision.question, transport);
    if (decision.ambiguous) this.#names.reportAmbiguous(decision.ambiguous);
    return decision.message;
  }

  /** Names of its networks; those of the cluster for containers on the default bridge, on which these names are published. */
  #sourceOf({ asker, ownerId }: Served): NameSource {
    const endpoints = this.#names.endpoints();
    const { containers, sandboxes } = this.#context();
    const onBridge = sandboxes.get(ownerId)?.config.endpoints.some(({ network }) => network === 'bridge') === true;
    const cluster = onBridge ? this.#names.cluster() : undefined;
    const projectOf = (id: string) => containers.info(id)?.project ?? this.#names.projectOf(id);
    return {
      find(name): KnownName | undefined {
        const found = findEndpoints(endpoints, asker, name, projectOf);
        if (found.length === 0) return cluster?.find(name);
        return { addresses: shuffle(found.flatMap(({ addresses }) => addresses)) };
      },
      nameOf: (address) => findName(endpoints, asker, address) ?? cluster?.nameOf(address),
    };
  }

  async #forward(served: Served, query: Buffer, question: Question, transport: Transport): Promise<Buffer> {
    const { asker, onNetworks } = served;
    const { settings } = this.#context();
    const { dnsOptions = [] } = this.#context().sandboxes.get(served.ownerId)?.config ?? {};
    const name = question.name.replace(/\.$/, '').toLowerCase();
    const asksAddress = question.type === 'A' || question.type === 'AAAA';
    const host = this.#host;
    if (onNetworks && asksAddress && !name.includes('.') && keepsSingleLabels({ dnsOptions }, settings, host))
      return bareAnswer(query, rcodes.noError);
    const upstreams = this.#upstreamsOf(served, host);
    if (onNetworks && upstreams.servers.length === 0) return bareAnswer(query, rcodes.nameError);
    const answer = await this.#forwarder.ask(query, upstreams, transport);
    // SERVFAIL ends the search of some resolvers (musl): it would hide names that the search domains still lead to.
    const isOwn = asker.networks.some((network) => name.endsWith(`.${network.name.toLowerCase()}`));
    if (isOwn && (answer === undefined || isFailure(answer))) return bareAnswer(query, rcodes.nameError);
    return answer ?? bareAnswer(query, rcodes.serverFailure);
  }

  #upstreamsOf({ ownerId, onNetworks, isConnected, path, health }: Served, host: ResolvConf): Upstreams {
    const { sandboxes, settings } = this.#context();
    const requested = sandboxes.get(ownerId)?.config.dns ?? [];
    const fromHost = { health: this.#hostHealth, holder: ownerId };
    if (!onNetworks) return { ...fromHost, servers: upstreamsOf(requested, settings.dns, host) };
    const { servers, from } = chooseUpstreams(requested, settings.dns, { file: host, isReachable: isConnected });
    if (from === 'host') return { ...fromHost, servers };
    const open = (protocol: Transport, family: 4 | 6): number =>
      openSocketInNetns(path, { protocol, address: family === 6 ? '::' : '0.0.0.0', port: 0 }).fd;
    return { servers, health, open, holder: ownerId };
  }

  get #host(): ResolvConf {
    this.#hostFile ??= new HostResolvConf(this.#context().settings.hostResolvConf);
    return this.#hostFile.read();
  }
}

/** In random order, so that clients that take the first address share the load. */
function shuffle<T>(values: readonly T[]): readonly T[] {
  if (values.length < 2) return values;
  return values
    .map((value) => [Math.random(), value] as const)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}
