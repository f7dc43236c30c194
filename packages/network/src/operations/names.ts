/**
 * Names across hosts while containers live: what this host publishes, and a name server in each container's namespace.
 * Both are made anew from what runs now and compared with what is there, so that whoever changed something only has
 * to say that it did. Without a directory (no cluster) nothing of this exists.
 */
import { closeSync } from 'node:fs';
import { messageOf } from '@netyard/core';
import type { openListenerInNetns } from '@netyard/kernel';
import type { Context, Sandbox } from '../context.ts';
import type { RemoteDirectory, RemoteName } from '../contract.ts';
import { decideAnswer } from '../names/answer.ts';
import { Forwarder, type Transport } from '../names/forwarder.ts';
import { bareAnswer, rcodes } from '../names/message.ts';
import { NameIndex } from '../names/name-index.ts';
import { asksToPublish, isSound } from '../names/published-name.ts';
import { asksOurServer, dnsPort, serverAddress, upstreamsOf } from '../names/resolvers.ts';
import { NameServer } from '../names/server.ts';
import { linkEndpoint, readIfThere } from './sandbox-plan.ts';

/** Queries of all containers that wait for other name servers; each holds a socket. */
const mostForwarded = 512;

export interface NamesOptions {
  directory?: RemoteDirectory | undefined;
  /** Opens a socket inside a namespace. */
  listen: typeof openListenerInNetns;
}

export class Names {
  readonly directory: RemoteDirectory | undefined;
  readonly #context: () => Context;
  readonly #listen: typeof openListenerInNetns;
  readonly #forwarder = new Forwarder({ limit: mostForwarded });
  /** By the path of the namespace. */
  readonly #servers = new Map<string, NameServer>();
  readonly #toldAmbiguous = new Set<string>();
  #index: NameIndex | undefined;
  #published = '';
  #started = false;

  constructor(context: () => Context, { directory, listen }: NamesOptions) {
    this.#context = context;
    this.directory = directory;
    this.#listen = listen;
  }

  /** What is published on all hosts: of this one as it is now, of the others as the directory has it. */
  get index(): NameIndex {
    this.#index ??= new NameIndex([...this.#own(), ...this.#others()]);
    return this.#index;
  }

  /** The directory has something new. */
  forget(): void {
    this.#index = undefined;
    this.#toldAmbiguous.clear();
  }

  /** Once all that runs is known: before, an empty list would take names away that are wanted. */
  start(): void {
    this.#started = true;
    this.settle();
  }

  /** After any change of what runs, what it is called or where it is. Never throws; closes what has to go at once. */
  settle(): void {
    if (!this.directory || !this.#started) return;
    this.#settleServers();
    const own = this.#own().map(({ name, containerId, address }) => ({ name, containerId, address }));
    const text = JSON.stringify(own);
    if (text === this.#published) return;
    this.#published = text;
    this.forget();
    this.directory.publish(own);
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
    this.#servers.clear();
    this.#started = false;
  }

  #own(): RemoteName[] {
    const { sandboxes, settings } = this.#context();
    const host = this.directory?.hostName ?? '';
    return [...sandboxes.values()].flatMap(({ config }) => {
      const { name, containerId } = config;
      const address = linkEndpoint(this.#context(), containerId)?.ipv4Address;
      const wanted = address !== undefined && asksToPublish(config, settings.publishNames === true);
      return wanted ? [{ host, name, containerId, address }] : [];
    });
  }

  /** Nobody gives names to what is not behind it: the address has to lie in that host's own subnets. */
  #others(): RemoteName[] {
    const { directory } = this;
    const { peers } = this.#context();
    const names = directory?.names() ?? [];
    return names.filter(
      (name) =>
        name.host !== directory?.hostName && isSound(name) && peers.behind(name.address)?.record.name === name.host,
    );
  }

  /** A namespace outlives its owner's stop while others share it, and so does its server. */
  #settleServers(): void {
    const { sandboxes } = this.#context();
    const wanted = new Map<string, Sandbox | undefined>();
    for (const sandbox of sandboxes.values()) {
      const { state } = sandbox;
      if (state?.netnsPath === undefined) continue;
      const owner = state.sharedWith === undefined ? sandbox : sandboxes.get(state.sharedWith);
      wanted.set(state.netnsPath, owner);
    }
    for (const [path, server] of this.#servers) {
      if (wanted.has(path)) continue;
      server.close();
      this.#servers.delete(path);
    }
    for (const [path, owner] of wanted) {
      if (owner && !this.#servers.has(path) && asksOurServer(owner.config)) this.#openServer(path, owner);
    }
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
      this.#servers.set(path, new NameServer({ udp, tcp, answer, logger, container: config.name }));
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
