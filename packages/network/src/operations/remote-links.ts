/**
 * Links to containers of other hosts (`HOST/NAME`): found when the parent is made, and followed while it lives. Where
 * the target is, or was last, is kept with the link, so that it is known also while nobody can be asked. The hosts file
 * of a running parent is rewritten line by line, as for links within a host; a target that is gone leaves its line.
 */

import type { KeyedQueue, Logger } from '@netyard/core';
import { isNetyardError, messageOf, NetyardError } from '@netyard/core';
import { isValidRemoteName } from '@netyard/dns';
import type {
  LinkRecord,
  NetworkStore,
  PeerApi,
  PeerApis,
  PeerContainers,
  RemoteName,
  RemoteTarget,
} from '../contract.ts';
import { ownNames, updateRemoteLine } from '../files/hosts.ts';
import type { LinkIndex } from '../links/index.ts';
import type { Sandbox } from '../lookup.ts';
import type { PeerTable } from '../peers/table.ts';
import type { ParentsDependencies } from './link-hosts-files.ts';
import { editHosts } from './link-hosts-files.ts';
import type { Names } from './names.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { hostnameOf, linkEndpoint, linkEntries } from './sandbox-plan.ts';

/** What the functions of this file work on. */
export interface RemoteLinksDependencies extends ParentsDependencies, SandboxPlanDependencies {
  readonly store: NetworkStore;
  readonly logger: Logger;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: PeerTable;
  readonly links: LinkIndex;
  readonly queue: KeyedQueue;
}

type RemoteLink = LinkRecord & { remote: RemoteTarget };

/** `HOST/NAME`; undefined for anything else. */
export function splitRemoteName(text: string): { host: string; name: string } | undefined {
  const match = /^([^/]+)\/([^/]+)$/.exec(text);
  return match?.[1] === undefined || match[2] === undefined ? undefined : { host: match[1], name: match[2] };
}

interface Followed {
  containers: PeerContainers;
  stop: () => void;
  /** Asked at the moment; told meanwhile that it should be asked again. */
  isAsked: boolean;
  again: boolean;
}

export class RemoteLinks {
  readonly #context: () => RemoteLinksDependencies;
  readonly #names: Names;
  readonly #apis: PeerApis | undefined;
  /** Peers that links of ours point to, by name. */
  readonly #followed = new Map<string, Followed>();
  #stopListening: () => void = () => {};
  #refreshing: NodeJS.Immediate | undefined;
  #started = false;

  constructor(context: () => RemoteLinksDependencies, names: Names, apis: PeerApis | undefined) {
    this.#context = context;
    this.#names = names;
    this.#apis = apis;
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#stopListening = this.#names.directory?.changes(() => this.directoryChanged()) ?? this.#stopListening;
    this.#refreshCluster({ force: true });
    this.settle();
  }

  close(): void {
    this.#started = false;
    clearImmediate(this.#refreshing);
    this.#stopListening();
    for (const peer of [...this.#followed.keys()]) this.#unfollow(peer);
  }

  /** Names or peers of the cluster are others than before: what depends on them follows, many changes as one. */
  directoryChanged(): void {
    this.#names.forget();
    if (this.#started) this.#refreshSoon();
  }

  #refreshSoon(): void {
    this.#refreshing ??= setImmediate(() => {
      this.#refreshing = undefined;
      this.#refreshCluster({ force: false });
    });
  }

  /** After links or peers came or went: follows the peers that it has to, and no other. */
  settle(): void {
    if (!this.#started) return;
    const wanted = new Set(this.#links('peer').map(({ remote }) => remote.host));
    for (const [name, followed] of this.#followed) {
      const api = this.#context().peers.get(name)?.record.api;
      if (!wanted.has(name) || !api || api !== followed.containers.api) this.#unfollow(name);
    }
    for (const name of wanted) this.#follow(name);
    if (this.#links('cluster').length > 0) this.#refreshSoon();
  }

  /** The container that a new link means. Throws `invalid` as for a missing target, with what to do about it. */
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
    if (!peer) return fail(`${missing}: ${host}/${name}`, `no peer and no host of a cluster is called ${host}`);
    if (peer.record.api) return fail(`${missing}: ${name} on ${host}`, `netyard -H ${peer.record.api.url} … ps -a`);
    return fail(
      `cannot link to ${host}/${name}: peer ${host} was added without the address of its API`,
      `add it again with --api https://${peer.record.address}:2376 --api-ca FILE --api-cert FILE --api-key FILE`,
    );
  }

  async #askOnce(host: string, api: PeerApi, name: string): Promise<RemoteName | undefined> {
    const known = this.#followed.get(host)?.containers;
    if (known) return await this.#ask(host, known, name);
    const containers = this.#apis?.open(host, api);
    try {
      return containers && (await this.#ask(host, containers, name));
    } finally {
      containers?.close();
    }
  }

  /** What a peer says of its container, if it can be: an address of its own subnets, and nothing that is no name. */
  async #ask(host: string, containers: PeerContainers, ref: string): Promise<RemoteName | undefined> {
    const found = await containers.find(ref);
    if (!found) return undefined;
    const named = { ...found, host };
    const isPlaced = found.address === '' || this.#context().peers.behind(found.address)?.record.name === host;
    if (isPlaced && isValidRemoteName({ ...named, address: found.address || '0.0.0.0' })) return named;
    throw new NetyardError('invalid', `peer ${host} tells of its container ${ref} what cannot be`, {
      hint: `its address ${JSON.stringify(found.address)} is in none of the peer's subnets, or its name is none`,
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

  #follow(peer: string): void {
    const api = this.#context().peers.get(peer)?.record.api;
    if (this.#followed.has(peer) || !api || !this.#apis) return;
    const containers = this.#open(this.#apis, peer, api);
    if (!containers) return;
    const stop = containers.changes(() => void this.#refreshPeer(peer));
    this.#followed.set(peer, { containers, stop, isAsked: false, again: false });
    void this.#refreshPeer(peer);
  }

  /** Its files may have gone since it was written down. */
  #open(apis: PeerApis, peer: string, api: PeerApi): PeerContainers | undefined {
    try {
      return apis.open(peer, api);
    } catch (error) {
      this.#context().logger.error("a peer's API cannot be asked; links to its containers stay", {
        peer,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #unfollow(peer: string): void {
    const followed = this.#followed.get(peer);
    this.#followed.delete(peer);
    followed?.stop();
    followed?.containers.close();
  }

  /** One round at a time; many changes meanwhile are one more. */
  async #refreshPeer(peer: string): Promise<void> {
    const followed = this.#followed.get(peer);
    if (!followed) return;
    followed.again = true;
    if (followed.isAsked) return;
    followed.isAsked = true;
    while (followed.again && this.#followed.get(peer) === followed) {
      followed.again = false;
      const links = this.#links('peer').filter(({ remote }) => remote.host === peer);
      for (const link of links) await this.#refreshLink(link, followed.containers);
    }
    followed.isAsked = false;
  }

  /** The same container whatever it is called now, else the one that has the name. */
  async #refreshLink(link: RemoteLink, containers: PeerContainers): Promise<void> {
    const { host, name, at } = link.remote;
    try {
      const found = (await this.#ask(host, containers, at.containerId)) ?? (await this.#ask(host, containers, name));
      if (found && found.address !== '') await this.#update(link, found, { force: true });
    } catch (error) {
      const level = isNetyardError(error, 'unavailable') ? 'info' : 'warn';
      this.#context().logger[level]('the target of a link could not be asked for; its last address stays', {
        target: link.childId,
        error: messageOf(error),
      });
    }
  }

  /** Kept first, then written into the parent's hosts file, if it runs. A failure is told and stops nobody else. */
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
          context.logger.info('a link follows its target', { target: link.childId, alias: link.alias, ...at });
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
