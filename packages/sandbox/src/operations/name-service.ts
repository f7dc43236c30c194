/**
 * Names of containers: keeps the index of those on user-defined networks, publishes those of the default bridge to the
 * cluster, if there is one, and has a name server run in the namespaces that need it. Callers only report that a container
 * changed; the desired state is then compared with the current one.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Logger, TimeSlice } from '@netyard/core';
import { EndpointIndex, isValidRemoteName, NameIndex } from '@netyard/dns';
import type { KnownPeers } from '@netyard/peers';
import type { NetworkSettings, RemoteDirectory, RemoteName } from '../contract.ts';
import type { NameServerFailure } from '../inspection/report.ts';
import type { Sandbox } from '../lookup.ts';
import { endpointNames } from '../names/asker.ts';
import { asksToPublish } from '../names/published-name.ts';
import { clusterEndpoints, type OwnEndpoint, RemoteEndpoints } from '../names/remote-endpoints.ts';
import { NameServers, type NameServersDependencies, type NameServersOptions } from './name-servers.ts';
import { linkEndpoint, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface NameServiceDependencies extends SandboxPlanDependencies, NameServersDependencies {
  readonly settings: NetworkSettings;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: KnownPeers;
}

interface Ambiguous {
  name: string;
  of: readonly RemoteName[];
}

export interface NameServiceOptions extends NameServersOptions {
  directory?: RemoteDirectory | undefined;
}

export class NameService {
  readonly directory: RemoteDirectory | undefined;
  readonly #context: () => NameServiceDependencies;
  readonly #servers: NameServers;
  /** Names on user-defined networks. */
  readonly #endpoints = new EndpointIndex();
  /** Containers of other hosts among them. */
  readonly #remote = new RemoteEndpoints(this.#endpoints);
  /** This host's containers on networks of the cluster, by container id. */
  readonly #published = new Map<string, readonly OwnEndpoint[]>();
  /** Names that this host publishes, by container id. */
  readonly #own = new Map<string, RemoteName>();
  readonly #reportedAmbiguous = new Set<string>();
  #index: NameIndex | undefined;
  #started = false;

  constructor(context: () => NameServiceDependencies, { directory, ...options }: NameServiceOptions) {
    this.#context = context;
    this.directory = directory;
    const names = {
      endpoints: () => this.#current(),
      projectOf: (containerId: string) => this.#remote.projectOf(containerId),
      cluster: () => (this.directory ? this.index : undefined),
      reportAmbiguous: (ambiguous: Ambiguous) => this.#reportAmbiguous(ambiguous),
    };
    this.#servers = new NameServers(context, names, options);
  }

  /** Names published on all hosts: the current ones of this host, and those of other hosts from the directory. */
  get index(): NameIndex {
    this.#index ??= new NameIndex([...this.#own.values(), ...this.#others()]);
    return this.#index;
  }

  /** Called when the directory has changed. */
  invalidateIndex(): void {
    this.#index = undefined;
    this.#remote.invalidate();
    this.#reportedAmbiguous.clear();
  }

  /** Names on user-defined networks, with those of other hosts as the directory has them now. */
  #current(): EndpointIndex {
    const { networks, peers } = this.#context();
    if (this.directory) this.#remote.refresh(this.directory.endpoints(), { networks, peers });
    return this.#endpoints;
  }

  /**
   * Called when all running containers are known: earlier, an incomplete list would withdraw published names. Yields to
   * the event loop: opening the sockets of many containers takes time.
   */
  async start(): Promise<void> {
    this.#started = true;
    const { sandboxes } = this.#context();
    for (const { config, state } of sandboxes.values()) {
      this.#endpoints.set(config.containerId, endpointNames(config.containerId, state));
      this.#updateName(config.containerId);
      this.#updateEndpoints(config.containerId);
    }
    this.#publish();
    this.#publishEndpoints();
    const slice = new TimeSlice();
    const owners = new Set([...sandboxes.values()].map(({ config, state }) => state?.sharedWith ?? config.containerId));
    for (const ownerId of owners) {
      if (this.#started) this.#servers.reconcile(ownerId);
      if (slice.isOver) await slice.next();
    }
  }

  /**
   * Called after a container started, stopped, was renamed or changed its address; `ownerId` is the owner of its current
   * or former namespace when it is another container. Never throws; sockets that are no longer needed are closed at once.
   */
  update(containerId: string, ownerId = containerId): void {
    if (!this.#started) return;
    this.#endpoints.set(containerId, endpointNames(containerId, this.#context().sandboxes.get(containerId)?.state));
    this.#servers.reconcile(ownerId);
    if (this.#updateName(containerId)) this.#publish();
    if (this.#updateEndpoints(containerId)) this.#publishEndpoints();
  }

  failures(): readonly NameServerFailure[] {
    return this.#servers.failures();
  }

  close(): void {
    this.#servers.close();
    this.#endpoints.clear();
    this.#remote.clear();
    this.#published.clear();
    this.#own.clear();
    this.#started = false;
  }

  #publish(): void {
    this.invalidateIndex();
    const own = [...this.#own.values()];
    this.directory?.publish(own.map(({ name, containerId, address }) => ({ name, containerId, address })));
  }

  #publishEndpoints(): void {
    this.directory?.publishEndpoints([...this.#published.values()].flat());
  }

  /** True when the container's endpoints on networks of the cluster have changed. */
  #updateEndpoints(containerId: string): boolean {
    const { sandboxes, networks, containers } = this.#context();
    const sandbox = sandboxes.get(containerId);
    const before = this.#published.get(containerId) ?? [];
    const project = containers.info(containerId)?.project;
    const after = sandbox ? clusterEndpoints(sandbox, networks, project) : [];
    if (after.length > 0) this.#published.set(containerId, after);
    else this.#published.delete(containerId);
    return before.length + after.length > 0 && !isDeepStrictEqual(before, after);
  }

  /** True when the container's published entry has changed. */
  #updateName(containerId: string): boolean {
    const { sandboxes, settings } = this.#context();
    if (!this.directory) return false;
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

  /** Once per name, until the directory changes. */
  #reportAmbiguous({ name, of }: Ambiguous): void {
    const key = name.toLowerCase();
    if (this.#reportedAmbiguous.has(key)) return;
    this.#reportedAmbiguous.add(key);
    const candidates = of.map(({ name: one, host }) => `${one}.${host}`).join(', ');
    this.#context().logger.warn('a name is not unique in the cluster, so it is not answered', { name, candidates });
  }
}
