/**
 * Names across hosts: publishes the names of this host's containers, and runs a name server in each container's
 * namespace. Callers only report that a container changed; the desired state is then compared with the current one.
 * Without a directory (no cluster) this does nothing.
 */
import { closeSync } from 'node:fs';
import { type Logger, messageOf } from '@netyard/core';
import {
  bareAnswer,
  decideAnswer,
  dnsPort,
  Forwarder,
  isValidRemoteName,
  NameIndex,
  NameServer,
  rcodes,
  type Transport,
} from '@netyard/dns';
import type { openListenerInNetns } from '@netyard/kernel';
import type { KnownPeers } from '@netyard/peers';
import type { NetworkSettings, RemoteDirectory, RemoteName } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { asksToPublish } from '../names/published-name.ts';
import { asksOurServer, serverAddress, upstreamsOf } from '../names/resolvers.ts';
import { linkEndpoint, readIfExists, type SandboxPlanDependencies } from './sandbox-plan.ts';
import { type SharedNamespaceDependencies, sharersOf } from './shared-namespace.ts';

/** Dependencies of the functions in this file. */
export interface NameServiceDependencies extends SandboxPlanDependencies, SharedNamespaceDependencies {
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: KnownPeers;
}

/** Limit for pending queries to upstream name servers, over all containers; each holds a socket. */
const maxForwarded = 512;

export interface NameServiceOptions {
  directory?: RemoteDirectory | undefined;
  /** Opens a socket inside a namespace. */
  listen: typeof openListenerInNetns;
}

export class NameService {
  readonly directory: RemoteDirectory | undefined;
  readonly #context: () => NameServiceDependencies;
  readonly #listen: typeof openListenerInNetns;
  readonly #forwarder = new Forwarder({ limit: maxForwarded });
  /** By the id of the container that owns the namespace. */
  readonly #servers = new Map<string, NameServer>();
  /** Names that this host publishes, by container id. */
  readonly #own = new Map<string, RemoteName>();
  readonly #reportedAmbiguous = new Set<string>();
  #index: NameIndex | undefined;
  #started = false;

  constructor(context: () => NameServiceDependencies, { directory, listen }: NameServiceOptions) {
    this.#context = context;
    this.directory = directory;
    this.#listen = listen;
  }

  /** Names published on all hosts: the current ones of this host, and those of other hosts from the directory. */
  get index(): NameIndex {
    this.#index ??= new NameIndex([...this.#own.values(), ...this.#others()]);
    return this.#index;
  }

  /** Called when the directory has changed. */
  invalidateIndex(): void {
    this.#index = undefined;
    this.#reportedAmbiguous.clear();
  }

  /** Called when all running containers are known: earlier, an incomplete list would withdraw published names. */
  start(): void {
    if (!this.directory) return;
    this.#started = true;
    const { sandboxes } = this.#context();
    for (const { config, state } of sandboxes.values()) {
      this.#reconcileServer(state?.sharedWith ?? config.containerId);
      this.#updateName(config.containerId);
    }
    this.#publish();
  }

  /**
   * Called after a container started, stopped, was renamed or changed its address; `ownerId` is the owner of its current
   * or former namespace when it is another container. Never throws; sockets that are no longer needed are closed at once.
   */
  update(containerId: string, ownerId = containerId): void {
    if (!this.#started) return;
    this.#reconcileServer(ownerId);
    if (this.#updateName(containerId)) this.#publish();
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
    this.#own.clear();
    this.#started = false;
  }

  #publish(): void {
    this.invalidateIndex();
    const own = [...this.#own.values()];
    this.directory?.publish(own.map(({ name, containerId, address }) => ({ name, containerId, address })));
  }

  /** True when the container's published entry has changed. */
  #updateName(containerId: string): boolean {
    const { sandboxes, settings } = this.#context();
    const config = sandboxes.get(containerId)?.config;
    const address = linkEndpoint(this.#context(), containerId)?.addresses.v4?.address;
    const before = this.#own.get(containerId);
    if (!config || address === undefined || !asksToPublish(config, settings.publishNames === true))
      return this.#own.delete(containerId);
    const { name } = config;
    if (before?.name === name && before.address === address) return false;
    this.#own.set(containerId, { host: this.directory?.hostName ?? '', name, containerId, address });
    return true;
  }

  /** A host may publish only names whose addresses lie in its own subnets. */
  #others(): RemoteName[] {
    const { directory } = this;
    const { peers } = this.#context();
    const names = directory?.names() ?? [];
    return names.filter(
      (name) =>
        name.host !== directory?.hostName &&
        isValidRemoteName(name) &&
        peers.findBySubnet(name.address)?.record.name === name.host,
    );
  }

  /** A namespace, and with it its name server, lives on after its owner stops while other containers share it. */
  #reconcileServer(ownerId: string): void {
    const context = this.#context();
    const owner = context.sandboxes.get(ownerId);
    const server = this.#servers.get(ownerId);
    const path = owner?.state?.netnsPath ?? sharersOf(context, ownerId)[0]?.state?.netnsPath;
    if (server && path === undefined) {
      server.close();
      this.#servers.delete(ownerId);
    }
    if (!server && owner && path !== undefined && asksOurServer(owner.config)) this.#openServer(path, owner);
  }

  /** On failure the container uses the host's resolvers, which follow Netyard's server in its resolv.conf. */
  #openServer(path: string, { config }: Sandbox): void {
    const { logger } = this.#context();
    const open: number[] = [];
    try {
      for (const protocol of ['udp', 'tcp'] as const)
        open.push(this.#listen(path, { protocol, address: serverAddress, port: dnsPort }).fd);
      const [udp = -1, tcp = -1] = open;
      const answer = (query: Buffer, transport: Transport) => this.#answer(query, transport, config.dns);
      this.#servers.set(config.containerId, new NameServer({ udp, tcp, answer, logger, container: config.name }));
    } catch (error) {
      for (const fd of open) closeSync(fd);
      logger.error("a container's name server could not be opened", {
        container: config.name,
        error: messageOf(error),
      });
    }
  }

  #answer(query: Buffer, transport: Transport, dns: readonly string[]): Promise<Buffer> | Buffer | undefined {
    const decision = decideAnswer(query, this.index);
    if (decision.kind === 'drop') return undefined;
    if (decision.kind === 'forward') return this.#forward(query, transport, dns);
    if (decision.ambiguous) this.#reportAmbiguous(decision.ambiguous);
    return decision.message;
  }

  async #forward(query: Buffer, transport: Transport, dns: readonly string[]): Promise<Buffer> {
    const { settings } = this.#context();
    const servers = upstreamsOf(dns, settings.dns, readIfExists(settings.hostResolvConf) ?? '');
    return (await this.#forwarder.ask(query, servers, transport)) ?? bareAnswer(query, rcodes.serverFailure);
  }

  /** Once per name, until the directory changes. */
  #reportAmbiguous({ name, of }: { name: string; of: readonly RemoteName[] }): void {
    const key = name.toLowerCase();
    if (this.#reportedAmbiguous.has(key)) return;
    this.#reportedAmbiguous.add(key);
    const candidates = of.map(({ name: one, host }) => `${one}.${host}`).join(', ');
    this.#context().logger.warn('a name is not unique in the cluster, so it is not answered', { name, candidates });
  }
}
