/**
 * The sockets, contexts and descriptors used during one call of the `Kernel` interface.
 *
 * Those of the process's own namespace live as long as the kernel object (`OwnHandles`). Those of other namespaces are
 * opened on first use and closed with the session: kept longer, they would keep a deleted namespace alive, and would
 * still refer to it after another one was created under the same path.
 */
import type { Logger } from '@netyard/core';
import { closeFile } from '../system/calls.ts';
import { type EnterNetns, openInNetns, openNamespace, openOwnNamespace, runInNetns } from '../system/netns.ts';
import { Sysctls } from '../system/sysctl.ts';
import { LinkRemover } from './link-remover.ts';
import { CanonicalTables } from './nft/canonical-tables.ts';
import { NftContext } from './nft/context.ts';
import { HashElements } from './nft/hash-elements.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from './socket.ts';
import { OwnPorts, ReceiveBuffers } from './socket-state.ts';

/** Sockets and contexts of one namespace, opened on first use. */
class Handles {
  readonly #ns: string | undefined;
  readonly #logger: Logger;
  readonly #enter: EnterNetns;
  readonly buffers: ReceiveBuffers;
  readonly ports: OwnPorts;
  #route: NetlinkSocket | undefined;
  #netfilter: NetlinkSocket | undefined;
  #hashElements: HashElements | undefined;
  #nft: NftContext | undefined;

  constructor(
    ns: string | undefined,
    logger: Logger,
    shared: { buffers: ReceiveBuffers; ports: OwnPorts; enter: EnterNetns },
  ) {
    this.#ns = ns;
    this.#logger = logger;
    this.#enter = shared.enter;
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
    return NetlinkSocket.open(protocol, { ns: this.#ns, enter: this.#enter, logger: this.#logger, buffers, ports });
  }
}

export class OwnHandles extends Handles {
  readonly remover: LinkRemover;
  readonly canonicalTables = new CanonicalTables();
  readonly sysctls = new Sysctls();
  #namespace: number | undefined;

  constructor(logger: Logger) {
    super(undefined, logger, { buffers: new ReceiveBuffers(), ports: new OwnPorts(), enter: openInNetns });
    NftContext.reserve();
    const { buffers, ports } = this;
    this.remover = new LinkRemover({ logger, buffers, ports });
  }

  /** Descriptor of the process's own namespace. */
  get namespace(): number {
    this.#namespace ??= openOwnNamespace();
    return this.#namespace;
  }

  override close(): void {
    super.close();
    this.canonicalTables.close();
    this.sysctls.close();
    if (this.#namespace !== undefined) closeFile(this.#namespace);
    this.#namespace = undefined;
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
  sysctls = (): Sysctls => this.#own.sysctls;

  /** Sockets for exclusive use; the caller closes them. */
  privateRoute(ns?: string): NetlinkSocket {
    const { buffers, ports } = this.#own;
    return NetlinkSocket.open(NETLINK_ROUTE, { ns, logger: this.#logger, buffers, ports });
  }
  privateNetfilter(ns?: string): NetlinkSocket {
    const { buffers, ports } = this.#own;
    return NetlinkSocket.open(NETLINK_NETFILTER, { ns, logger: this.#logger, buffers, ports });
  }

  /** Descriptor of a namespace, for IFLA_NET_NS_FD; without a path, of the process's own. */
  netnsFd(ns?: string): number {
    if (ns === undefined) return this.#own.namespace;
    const known = this.#netnsFds.get(ns);
    if (known !== undefined) return known;
    const fd = openNamespace(ns);
    this.#netnsFds.set(ns, fd);
    return fd;
  }

  /** Runs `work` as `openInNetns` does, with the session's descriptors. */
  enter: EnterNetns = (ns, work) => {
    if (ns === undefined) return openInNetns(ns, work);
    const fd = this.netnsFd(ns);
    try {
      return runInNetns({ fd, path: ns, own: this.#own.namespace }, work);
    } catch (error) {
      this.#netnsFds.delete(ns); // a stale file, perhaps, in whose place a namespace is pinned next
      closeFile(fd);
      throw error;
    }
  };

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
    const { buffers, ports } = this.#own;
    const handles = new Handles(ns, this.#logger, { buffers, ports, enter: this.enter });
    this.#foreign.set(ns, handles);
    return handles;
  }
}
