/**
 * The sockets, contexts and descriptors used during one call of the `Kernel` interface.
 *
 * Those of the process's own namespace live as long as the kernel object (`OwnHandles`). Those of other namespaces are
 * opened on first use and closed with the session: kept longer, they would keep a deleted namespace alive, and would
 * still refer to it after another one was created under the same path.
 */
import type { Logger } from '@netyard/core';
import { closeFile, openFile } from '../system/calls.ts';
import { LinkRemover } from './link-remover.ts';
import { CanonicalTables } from './nft/canonical-tables.ts';
import { NftContext } from './nft/context.ts';
import { HashElements } from './nft/hash-elements.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket, OwnPorts, ReceiveBuffers } from './socket.ts';

/** Sockets and contexts of one namespace, opened on first use. */
class Handles {
  readonly #ns: string | undefined;
  readonly #logger: Logger;
  readonly buffers: ReceiveBuffers;
  readonly ports: OwnPorts;
  #route: NetlinkSocket | undefined;
  #netfilter: NetlinkSocket | undefined;
  #hashElements: HashElements | undefined;
  #nft: NftContext | undefined;

  constructor(ns: string | undefined, logger: Logger, shared: { buffers: ReceiveBuffers; ports: OwnPorts }) {
    this.#ns = ns;
    this.#logger = logger;
    this.buffers = shared.buffers;
    this.ports = shared.ports;
  }

  route(): NetlinkSocket {
    this.#route ??= this.#open(NETLINK_ROUTE);
    return this.#route;
  }

  netfilter(): NetlinkSocket {
    this.#netfilter ??= this.#open(NETLINK_NETFILTER);
    return this.#netfilter;
  }

  hashElements(): HashElements {
    this.#hashElements ??= new HashElements(this.netfilter());
    return this.#hashElements;
  }

  nft(): NftContext {
    this.#nft ??= NftContext.open(this.#ns);
    return this.#nft;
  }

  releaseCaches(): void {
    this.#nft?.releaseCache();
  }

  close(): void {
    this.#route?.close();
    this.#netfilter?.close();
    this.#nft?.close();
    this.#route = undefined;
    this.#netfilter = undefined;
    this.#hashElements = undefined;
    this.#nft = undefined;
  }

  #open(protocol: number): NetlinkSocket {
    const { buffers, ports } = this;
    return NetlinkSocket.open(protocol, { ns: this.#ns, logger: this.#logger, buffers, ports });
  }
}

export class OwnHandles extends Handles {
  readonly remover: LinkRemover;
  readonly canonicalTables = new CanonicalTables();

  constructor(logger: Logger) {
    super(undefined, logger, { buffers: new ReceiveBuffers(), ports: new OwnPorts() });
    const { buffers, ports } = this;
    this.remover = new LinkRemover({ logger, buffers, ports });
  }

  override close(): void {
    super.close();
    this.canonicalTables.close();
  }
}

export class Session {
  readonly #own: OwnHandles;
  readonly #logger: Logger;
  readonly #foreign = new Map<string, Handles>();
  readonly #netnsFds = new Map<string, number>();

  constructor(own: OwnHandles, logger: Logger) {
    this.#own = own;
    this.#logger = logger;
  }

  route = (ns?: string): NetlinkSocket => this.#in(ns).route();
  netfilter = (ns?: string): NetlinkSocket => this.#in(ns).netfilter();
  hashElements = (ns?: string): HashElements => this.#in(ns).hashElements();
  nft = (ns?: string): NftContext => this.#in(ns).nft();

  remover = (): LinkRemover => this.#own.remover;
  canonicalTables = (): CanonicalTables => this.#own.canonicalTables;

  /** Sockets for exclusive use; the caller closes them. */
  privateRoute(ns?: string): NetlinkSocket {
    const { buffers, ports } = this.#own;
    return NetlinkSocket.open(NETLINK_ROUTE, { ns, logger: this.#logger, buffers, ports });
  }
  privateNetfilter(ns?: string): NetlinkSocket {
    const { buffers, ports } = this.#own;
    return NetlinkSocket.open(NETLINK_NETFILTER, { ns, logger: this.#logger, buffers, ports });
  }

  /** Descriptor of a namespace, for IFLA_NET_NS_FD; without a path, of the calling thread's namespace. */
  netnsFd(ns?: string): number {
    const path = ns ?? '/proc/thread-self/ns/net';
    const known = this.#netnsFds.get(path);
    if (known !== undefined) return known;
    const fd = openFile(path);
    this.#netnsFds.set(path, fd);
    return fd;
  }

  close(): void {
    this.#own.releaseCaches();
    for (const handles of this.#foreign.values()) handles.close();
    for (const fd of this.#netnsFds.values()) closeFile(fd);
    this.#foreign.clear();
    this.#netnsFds.clear();
  }

  #in(ns: string | undefined): Handles {
    if (ns === undefined) return this.#own;
    const known = this.#foreign.get(ns);
    if (known) return known;
    const handles = new Handles(ns, this.#logger, this.#own);
    this.#foreign.set(ns, handles);
    return handles;
  }
}
