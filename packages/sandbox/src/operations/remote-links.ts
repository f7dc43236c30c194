/**
 * A link to another host's container (`HOST/NAME`): resolved at create and updated while the parent exists. The target's
 * last known address is stored with the link, so that it is available while the other host is unreachable. A running
 * parent's hosts file is edited line by line, as for local links; the line of a target that is gone is kept.
 */

import { isNetyardError, type KeyedQueue, type Logger, messageOf, NetyardError } from '@netyard/core';
import { isValidRemoteName } from '@netyard/dns';
import type { KnownPeers, PeerApi } from '@netyard/peers';
import type { LinkRecord, NetworkStore, PeerApis, PeerContainers, RemoteName, RemoteTarget } from '../contract.ts';
import { ownNames, updateRemoteLine } from '../files/hosts.ts';
import type { LinkIndex } from '../links/index.ts';
import type { Sandbox } from '../lookup.ts';
import { editHosts, type LinkHostsFilesDependencies } from './link-hosts-files.ts';
import type { NameService } from './name-service.ts';
import { hostnameOf, linkEndpoint, linkEntries, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface RemoteLinksDependencies extends LinkHostsFilesDependencies, SandboxPlanDependencies {
  readonly store: NetworkStore;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: KnownPeers;
  readonly links: LinkIndex;
  readonly queue: KeyedQueue;
}

type RemoteLink = LinkRecord & { remote: RemoteTarget };

/** `HOST/NAME`; undefined for anything else. */
export function splitRemoteName(text: string): { host: string; name: string } | undefined {
  const match = /^([^/]+)\/([^/]+)$/.exec(text);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { host: match[1], name: match[2] };
}

interface WatchedPeer {
  containers: PeerContainers;
  stop: () => void;
  /** A refresh is in progress; `isStale`: another change was reported since it began. */
  isRefreshing: boolean;
  isStale: boolean;
}

export class RemoteLinks {
  readonly #context: () => RemoteLinksDependencies;
  readonly #names: NameService;
  readonly #apis: PeerApis | undefined;
  /** Peers that are targets of links, by name. */
  readonly #watched = new Map<string, WatchedPeer>();
  #stopListening: () => void = () => {};
  #refreshing: NodeJS.Immediate | undefined;
  #started = false;

  constructor(context: () => RemoteLinksDependencies, names: NameService, apis: PeerApis | undefined) {
    this.#context = context;
    this.#names = names;
    this.#apis = apis;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#stopListening = this.#names.directory?.changes(() => this.directoryChanged()) ?? this.#stopListening;
    this.#refreshCluster({ force: true });
    this.reconcile();
  }

  close(): void {
    this.#started = false;
    clearImmediate(this.#refreshing);
    this.#stopListening();
    for (const peer of [...this.#watched.keys()]) this.#unwatch(peer);
  }

  /** Called when names or peers of the cluster have changed. Refreshes the links; coalesces several changes. */
  directoryChanged(): void {
    this.#names.invalidateIndex();
    if (this.#started) this.#refreshSoon();
  }

  #refreshSoon(): void {
    this.#refreshing ??= setImmediate(() => {
      this.#refreshing = undefined;
      this.#refreshCluster({ force: false });
    });
  }

  /** Called after links or peers changed: watches exactly the peers that are targets of links. */
  reconcile(): void {
    if (!this.#started) return;
    const desired = new Set(this.#links('peer').map(({ remote }) => remote.host));
    for (const [name, watched] of this.#watched) {
      const api = this.#context().peers.get(name)?.record.api;
      if (!desired.has(name) || !api || api !== watched.containers.api) this.#unwatch(name);
    }
    for (const name of desired) this.#watch(name);
    if (this.#links('cluster').length > 0) this.#refreshSoon();
  }

  /** Resolves the target of a new link. Throws `invalid`, as for a missing local target, with a hint. */
  async find(host: string, name: string): Promise<RemoteTarget> {
    const published = this.#names.index.at(host, name);
    if (published) return { host, name, source: 'cluster', at: published };
    const peer = this.#context().peers.get(host);
    if (peer?.record.api && this.#apis) {
      const at = await this.#askOnce(host, peer.record.api, name);
      if (at) return { host, name, source: 'peer', at };
    }
    throw this.#missing(host, name);
  }

  #missing(host: string, name: string): NetyardError {
    const { peers } = this.#context();
    const peer = peers.get(host);
    const missing = `could not get container for ${host}/${name}: No such container`;
    const fail = (message: string, hint: string) => new NetyardError('invalid', message, { hint });
    if (this.#names.directory?.hosts().includes(host))
      return fail(
        `${missing} is published by ${host}`,
        `start it there with --publish-name (docker: --label netyard.publish-name=true), on its default bridge`,
      );
    if (!peer)
      return fail(`${missing}: ${host}/${name}`, `use the name of a peer or a host of the cluster for ${host}`);
    if (peer.record.api)
      return fail(`${missing}: ${name} on ${host}`, `run \`netyard -H ${peer.record.api.url} … ps -a\` for its names`);
    return fail(
      `cannot link to ${host}/${name}: peer ${host} was added without the address of its API`,
      `add it again with --api https://${peer.record.address}:2376 --api-ca FILE --api-cert FILE --api-key FILE`,
    );
  }

  async #askOnce(host: string, api: PeerApi, name: string): Promise<RemoteName | undefined> {
    const known = this.#watched.get(host)?.containers;
    if (known) return await this.#ask(host, known, name);
    const containers = this.#apis?.open(host, api);
    try {
      return containers && (await this.#ask(host, containers, name));
    } finally {
      containers?.close();
    }
  }

  /** Queries a peer for a container and validates the answer: a valid name, and an address within the peer's subnets. */
  async #ask(host: string, containers: PeerContainers, ref: string): Promise<RemoteName | undefined> {
    const found = await containers.find(ref);
    if (!found) return undefined;
    const named = { ...found, host };
    const isPlaced = found.address === '' || this.#context().peers.findBySubnet(found.address)?.record.name === host;
    if (isPlaced && isValidRemoteName({ ...named, address: found.address || '0.0.0.0' })) return named;
    throw new NetyardError('invalid', `peer ${host} returned invalid data for its container ${ref}`, {
      hint: `check its name, and that its address ${JSON.stringify(found.address)} is in one of the peer's subnets`,
    });
  }

  #links(source: RemoteTarget['source']): RemoteLink[] {
    return this.#context()
      .links.all()
      .filter((link): link is RemoteLink => link.remote?.source === source);
  }

  #refreshCluster({ force }: { force: boolean }): void {
    for (const link of this.#links('cluster')) {
      const { host, name, at } = link.remote;
      const found = this.#names.index.follow({ host, name, containerId: at.containerId });
      if (found || force) void this.#update(link, found ?? at, { force });
    }
  }

  #watch(peer: string): void {
    const api = this.#context().peers.get(peer)?.record.api;
    if (this.#watched.has(peer) || !api || !this.#apis) return;
    const containers = this.#open(this.#apis, peer, api);
    if (!containers) return;
    const stop = containers.changes(() => void this.#refreshPeer(peer));
    this.#watched.set(peer, { containers, stop, isRefreshing: false, isStale: false });
    void this.#refreshPeer(peer);
  }

  /** Fails when files of the peer's API were deleted after the peer was added. */
  #open(apis: PeerApis, peer: string, api: PeerApi): PeerContainers | undefined {
    try {
      return apis.open(peer, api);
    } catch (error) {
      this.#context().logger.error("a peer's API is unavailable; links to its containers keep their addresses", {
        peer,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #unwatch(peer: string): void {
    const watched = this.#watched.get(peer);
    this.#watched.delete(peer);
    watched?.stop();
    watched?.containers.close();
  }

  /** One refresh at a time; several changes during it cause one more. */
  async #refreshPeer(peer: string): Promise<void> {
    const watched = this.#watched.get(peer);
    if (!watched) return;
    watched.isStale = true;
    if (watched.isRefreshing) return;
    watched.isRefreshing = true;
    while (watched.isStale && this.#watched.get(peer) === watched) {
      watched.isStale = false;
      const links = this.#links('peer').filter(({ remote }) => remote.host === peer);
      for (const link of links) await this.#refreshLink(link, watched.containers);
    }
    watched.isRefreshing = false;
  }

  /** Finds the target by id, which survives a rename; else by name. */
  async #refreshLink(link: RemoteLink, containers: PeerContainers): Promise<void> {
    const { host, name, at } = link.remote;
    try {
      const found = (await this.#ask(host, containers, at.containerId)) ?? (await this.#ask(host, containers, name));
      if (found && found.address !== '') await this.#update(link, found, { force: true });
    } catch (error) {
      const level = isNetyardError(error, 'unavailable') ? 'info' : 'warn';
      this.#context().logger[level]('the target of a link could not be queried; its last address is kept', {
        target: link.childId,
        error: messageOf(error),
      });
    }
  }

  /** Stores the new address, then updates the parent's hosts file if it runs. A failure is logged. */
  async #update(link: RemoteLink, at: RemoteName, { force }: { force: boolean }): Promise<void> {
    const context = this.#context();
    const before = link.remote.at;
    const isSame = at.address === before.address && at.containerId === before.containerId && at.name === before.name;
    if (isSame && !force) return;
    try {
      await context.queue.run(link.parentId, async () => {
        if (context.links.get(link.parentId, link.alias)?.childId !== link.childId) return;
        const next: RemoteLink = { ...link, remote: { ...link.remote, at } };
        if (!isSame) {
          context.store.putLink(next);
          context.links.put(next);
          context.logger.info('the target of a link has changed', { target: link.childId, alias: link.alias, ...at });
        }
        await this.#rewrite(next);
      });
    } catch (error) {
      context.logger.error("a parent's hosts file could not be updated", {
        parent: link.parentId,
        alias: link.alias,
        error: messageOf(error),
      });
    }
  }

  async #rewrite(link: RemoteLink): Promise<void> {
    const context = this.#context();
    const parent = context.sandboxes.get(link.parentId)?.config;
    const [entry] = linkEntries(context, link);
    if (!parent || !entry || !linkEndpoint(context, link.parentId)) return;
    const [own = ''] = ownNames(hostnameOf(parent), parent.domainname);
    await editHosts(context, link.parentId, (text) => updateRemoteLine(text, link.alias, entry, own));
  }
}
