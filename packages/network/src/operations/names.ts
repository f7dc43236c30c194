/**
 * Names across hosts while containers live: what this host publishes, and a name server in each container's namespace.
 * Whoever changed something of a container only has to say so: what is wanted for it now is compared with what is
 * there. Without a directory (no cluster) nothing of this exists.
 */
import { closeSync } from 'node:fs';
import type { Logger } from '@netyard/core';
import { messageOf } from '@netyard/core';
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
import type { NetworkSettings, RemoteDirectory, RemoteName } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { asksToPublish } from '../names/published-name.ts';
import { asksOurServer, serverAddress, upstreamsOf } from '../names/resolvers.ts';
import type { PeerTable } from '../peers/table.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { linkEndpoint, readIfThere } from './sandbox-plan.ts';
import type { SharedDependencies } from './shared-namespace.ts';
import { sharersOf } from './shared-namespace.ts';

/** What the functions of this file work on. */
export interface NamesDependencies extends SandboxPlanDependencies, SharedDependencies {
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: PeerTable;
}

/** Queries of all containers that wait for other name servers; each holds a socket. */
const mostForwarded = 512;

export interface NamesOptions {
  directory?: RemoteDirectory | undefined;
  /** Opens a socket inside a namespace. */
  listen: typeof openListenerInNetns;
}

export class Names {
  readonly directory: RemoteDirectory | undefined;
  readonly #context: () => NamesDependencies;
  readonly #listen: typeof openListenerInNetns;
  readonly #forwarder = new Forwarder({ limit: mostForwarded });
  /** By the container that owns the namespace. */
  readonly #servers = new Map<string, NameServer>();
  /** What this host publishes, by container. */
  readonly #own = new Map<string, RemoteName>();
  readonly #toldAmbiguous = new Set<string>();
  #index: NameIndex | undefined;
  #started = false;

  constructor(context: () => NamesDependencies, { directory, listen }: NamesOptions) {
    this.#context = context;
    this.directory = directory;
    this.#listen = listen;
  }

  /** What is published on all hosts: of this one as it is now, of the others as the directory has it. */
  get index(): NameIndex {
    this.#index ??= new NameIndex([...this.#own.values(), ...this.#others()]);
    return this.#index;
  }

  /** The directory has something new. */
  forget(): void {
    this.#index = undefined;
    this.#toldAmbiguous.clear();
  }

  /** Once all that runs is known: before, an empty list would take names away that are wanted. */
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
   * After a container came, went, was renamed or got another address; `ownerId` when the namespace it is in, or was in,
   * is another one's. Never throws; what has to go is closed at once.
   */
  settle(containerId: string, ownerId = containerId): void {
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
    this.forget();
    const own = [...this.#own.values()];
    this.directory?.publish(own.map(({ name, containerId, address }) => ({ name, containerId, address })));
  }

  /** True when the container is published in another way than before. */
  #updateName(containerId: string): boolean {
    const { sandboxes, settings } = this.#context();
    const config = sandboxes.get(containerId)?.config;
    const address = linkEndpoint(this.#context(), containerId)?.ipv4Address;
    const before = this.#own.get(containerId);
    if (!config || address === undefined || !asksToPublish(config, settings.publishNames === true))
      return this.#own.delete(containerId);
    const { name } = config;
    if (before?.name === name && before.address === address) return false;
    this.#own.set(containerId, { host: this.directory?.hostName ?? '', name, containerId, address });
    return true;
  }

  /** Nobody gives names to what is not behind it: the address has to lie in that host's own subnets. */
  #others(): RemoteName[] {
    const { directory } = this;
    const { peers } = this.#context();
    const names = directory?.names() ?? [];
    return names.filter(
      (name) =>
        name.host !== directory?.hostName &&
        isValidRemoteName(name) &&
        peers.behind(name.address)?.record.name === name.host,
    );
  }

  /** A namespace outlives its owner's stop while others share it, and so does its server. */
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

  /** A container without its server has the host's resolvers, which come after it in its resolv.conf. */
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
    if (decision.ambiguous) this.#tellAmbiguous(decision.ambiguous);
    return decision.message;
  }

  async #forward(query: Buffer, transport: Transport, dns: readonly string[]): Promise<Buffer> {
    const { settings } = this.#context();
    const servers = upstreamsOf(dns, settings.dns, readIfThere(settings.hostResolvConf) ?? '');
    return (await this.#forwarder.ask(query, servers, transport)) ?? bareAnswer(query, rcodes.serverFailure);
  }

  /** Once for each name, until something changes. */
  #tellAmbiguous({ name, of }: { name: string; of: readonly RemoteName[] }): void {
    const key = name.toLowerCase();
    if (this.#toldAmbiguous.has(key)) return;
    this.#toldAmbiguous.add(key);
    const candidates = of.map(({ name: one, host }) => `${one}.${host}`).join(', ');
    this.#context().logger.warn('a name is not unique in the cluster, so it is not answered', { name, candidates });
  }
}
