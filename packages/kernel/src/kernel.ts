/** Entry point of the kernel package on Linux: `openKernel()` returns the `Kernel` of contract.ts. */
import { type Logger, ownerPrefix, silentLogger } from '@netyard/core';
import type {
  AnnounceRequest,
  ApplyOptions,
  ApplyReport,
  ConnectionMatch,
  FileEdit,
  HeldTables,
  Kernel,
  KernelEvent,
  KernelOptions,
  LinkStatistics,
  NamespaceWatch,
  ObservedAddress,
  ObservedElement,
  ObservedFdbEntry,
  ObservedLink,
  ObservedNeighbour,
  ObservedNeighbourProxy,
  ObservedNftChain,
  ObservedRoute,
  PortProtocol,
  PortReservation,
} from './contract.ts';
import type { KernelObject, KernelPlan, NftElementObject, NftFamily, NftTableObject, Observation } from './desired.ts';
import { Captures } from './netlink/capture/capture.ts';
import { flushConntrack, flushConntrackOf } from './netlink/conntrack.ts';
import { watchNamespaces } from './netlink/namespace-watch/watch.ts';
import { listBaseChains, listChain } from './netlink/nft/chain.ts';
import { setSpec } from './netlink/nft/element.ts';
import { canHoldTables, holdTables } from './netlink/nft/owned-tables.ts';
import type { NftChainName } from './netlink/nft/rule.ts';
import { listAddresses } from './netlink/rtnl/address.ts';
import { listFdb } from './netlink/rtnl/fdb.ts';
import { isUnfinished, type Link, linkStatistics, listLinks, supportsKind } from './netlink/rtnl/link.ts';
import { listLinkStatistics } from './netlink/rtnl/link-statistics.ts';
import { listNeighbourProxies, listNeighbours } from './netlink/rtnl/neighbour.ts';
import { listRoutes } from './netlink/rtnl/route.ts';
import { OwnHandles, Session } from './netlink/session.ts';
import { announceAddresses } from './netlink/trace/announce.ts';
import type { NetworkChange } from './network-change.ts';
import type { PacketCapture, PacketCaptureRequest } from './packet-capture.ts';
import { applyPlan } from './state/apply.ts';
import { editFile } from './state/objects/file.ts';
import { checkObject } from './state/objects/index.ts';
import { listElements } from './state/objects/nft-batch.ts';
import { observeAll } from './state/observe.ts';
import { removePlan } from './state/remove.ts';
import { watchChanges, watchKernel } from './state/watch.ts';
import { openInNetns } from './system/netns.ts';
import { reservePort } from './system/port.ts';
import { Relays } from './system/relay/relays.ts';

/**
 * Of one watch. Each one costs every change of a network on this machine a microsecond or two: see decision 0020.
 */
const defaultNotificationSockets = 128;

/** Libraries and sockets are opened on first use. Call `close()` when done. */
export function openKernel(options: KernelOptions = {}): Kernel {
  return new LinuxKernel(options);
}

const ownerOf = (link: Link): string | undefined =>
  link.alias ?? (isUnfinished(link) ? `${ownerPrefix}unfinished link` : undefined);

class LinuxKernel implements Kernel {
  readonly #logger: Logger;
  readonly #noteApply: (seconds: number) => void;
  readonly #own: OwnHandles;
  readonly #closing = new AbortController();
  readonly #captures = new Captures();
  readonly #relays: Relays;
  readonly #notificationSockets: number;
  #canHoldTables: boolean | undefined;

  constructor(options: KernelOptions) {
    const { logger = silentLogger, noteApply = () => undefined } = options;
    this.#logger = logger;
    this.#noteApply = noteApply;
    this.#notificationSockets = options.notificationSockets ?? defaultNotificationSockets;
    this.#own = new OwnHandles(logger);
    this.#relays = new Relays((error) => logger.error('the relay thread failed', { error: error.message }));
  }

  async observe(objects: readonly KernelObject[]): Promise<Observation[]> {
    for (const object of objects) checkObject(object);
    return await this.#inSession((session) => observeAll(session, objects));
  }

  async apply(plan: KernelPlan, options: ApplyOptions = {}): Promise<ApplyReport> {
    const began = performance.now();
    try {
      return await this.#inSession((session) => applyPlan(session, plan, options, this.#logger));
    } finally {
      if (options.dryRun !== true) this.#noteApply((performance.now() - began) / 1000);
    }
  }

  async remove(plan: KernelPlan, options: ApplyOptions = {}): Promise<ApplyReport> {
    return await this.#inSession((session) => removePlan(session, plan, options, this.#logger));
  }

  async editFile(path: string, limit: number, edit: (text: string) => string): Promise<FileEdit> {
    return editFile(path, limit, edit);
  }

  async listLinks(ns?: string): Promise<ObservedLink[]> {
    const links = await this.#inSession((session) => listLinks(session.route(ns)));
    return links.map((link) => {
      const { alias, group: _group, hairpin: _hairpin, isolated: _isolated, ...more } = link;
      const { vxlan: _vxlan, macvlanMode: _mode, ipvlan: _ipvlan, vlanId: _vlanId, ...rest } = more;
      const owner = ownerOf(link);
      return owner === undefined ? rest : { ...rest, owner };
    });
  }

  async listAddresses(ns?: string): Promise<ObservedAddress[]> {
    return await this.#inSession((session) => {
      const names = linkNames(session, ns);
      return listAddresses(session.route(ns)).map(({ linkIndex, prefix, scope, transient }) => ({
        link: names.get(linkIndex) ?? `if${linkIndex}`,
        ...{ linkIndex, prefix, scope },
        ...(transient ? { transient } : {}),
      }));
    });
  }

  async listRoutes(ns?: string): Promise<ObservedRoute[]> {
    return await this.#inSession((session) => {
      const names = linkNames(session, ns);
      const found = ([4, 6] as const).flatMap((family) => listRoutes(session.route(ns), family, 0));
      return found.map(({ family, to, via, linkIndex, source, metric, table, protocol }) => {
        const link = linkIndex === undefined ? undefined : (names.get(linkIndex) ?? `if${linkIndex}`);
        return {
          ...{ family, to, table, protocol },
          ...(via === undefined ? {} : { via }),
          ...(link === undefined ? {} : { link }),
          ...(source === undefined ? {} : { source }),
          ...(metric === undefined ? {} : { metric }),
        };
      });
    });
  }

  async listNeighbours(link: string, ns?: string): Promise<ObservedNeighbour[]> {
    return await this.#inSession((session) => {
      const index = session.route(ns).findLinkIndex(link);
      const entries = index === undefined ? [] : listNeighbours(session.route(ns), index);
      return entries.flatMap(({ address, mac, permanent }) => (permanent && mac !== undefined ? { address, mac } : []));
    });
  }

  async listNeighbourProxies(): Promise<ObservedNeighbourProxy[]> {
    return await this.#inSession((session) => {
      const names = linkNames(session, undefined);
      return listNeighbourProxies(session.route(undefined)).flatMap(({ linkIndex, address, protocol }) => {
        const link = names.get(linkIndex);
        return link === undefined ? [] : { link, address, ...(protocol === undefined ? {} : { protocol }) };
      });
    });
  }

  async listFdb(link: string, ns?: string): Promise<ObservedFdbEntry[]> {
    return await this.#inSession((session) => {
      const index = session.route(ns).findLinkIndex(link);
      const entries = index === undefined ? [] : listFdb(session.route(ns), index);
      return entries.flatMap(({ mac, remote }) => (remote === undefined ? [] : { mac, remote }));
    });
  }

  async linkStatistics(link: string, ns?: string): Promise<LinkStatistics> {
    return await this.#inSession((session) => linkStatistics(session.route(ns), link));
  }

  async listLinkStatistics(): Promise<Map<number, LinkStatistics>> {
    return await this.#inSession((session) => listLinkStatistics(session.route(undefined)));
  }

  async supportsLinkKind(kind: string): Promise<boolean> {
    return await this.#inSession((session) => supportsKind(session.route(undefined), kind));
  }

  async readSysctl(key: string, ns?: string): Promise<string> {
    return this.#own.sysctls.read({ key, ns }, openInNetns);
  }

  async listNftElements(request: {
    ns?: string;
    family: NftFamily;
    table: string;
    set: string;
  }): Promise<ObservedElement[]> {
    const set = setSpec(request);
    return await this.#inSession((session) => listElements(session, request.ns, set));
  }

  async listNftBaseChains(hook: 'forward' | 'input', families: readonly NftFamily[]): Promise<ObservedNftChain[]> {
    return await this.#inSession((session) => listBaseChains(session.nft(), session.netfilter(), { hook, families }));
  }

  async listNftChain(name: NftChainName): Promise<ObservedNftChain | undefined> {
    return await this.#inSession((session) => listChain(session.nft(), name, session.netfilter()));
  }

  reservePort(protocol: PortProtocol, address: string, port: number): PortReservation {
    return reservePort(protocol, address, port, this.#relays);
  }

  async holdTables(tables: readonly NftTableObject[], elements: readonly NftElementObject[] = []): Promise<HeldTables> {
    for (const object of [...tables, ...elements]) checkObject(object);
    return holdTables(tables, elements);
  }

  async canHoldTables(): Promise<boolean> {
    this.#canHoldTables ??= canHoldTables();
    return this.#canHoldTables;
  }

  async flushConntrack(matches: readonly ConnectionMatch[], options: { untranslated?: boolean } = {}): Promise<void> {
    const deleted = await this.#inSession((session) => flushConntrack(session, matches, options));
    if (deleted > 0) this.#logger.debug('conntrack entries deleted', { ports: matches.slice(0, 5), deleted });
  }

  async flushConntrackOf(subnets: string | readonly string[]): Promise<void> {
    const list = typeof subnets === 'string' ? [subnets] : subnets;
    const deleted = await this.#inSession((session) => flushConntrackOf(session, list));
    if (deleted > 0) this.#logger.debug('conntrack entries deleted', { subnets: list.slice(0, 5), deleted });
  }

  watch(signal: AbortSignal): AsyncIterable<KernelEvent> {
    return watchKernel(AbortSignal.any([signal, this.#closing.signal]));
  }

  watchChanges(signal: AbortSignal): AsyncIterable<NetworkChange> {
    return watchChanges(this.#own.ports, AbortSignal.any([signal, this.#closing.signal]));
  }

  watchNamespaces(report: (path: string) => void): NamespaceWatch {
    return watchNamespaces({ report, logger: this.#logger, mostSubscribed: this.#notificationSockets });
  }

  announceAddresses(request: AnnounceRequest): void {
    announceAddresses(request);
  }

  async capture(request: PacketCaptureRequest): Promise<PacketCapture> {
    return await this.#captures.open(request);
  }

  close(): void {
    this.#closing.abort();
    this.#captures.close();
    this.#relays.closeAll();
    this.#own.close();
  }

  async #inSession<T>(work: (session: Session) => T | Promise<T>): Promise<T> {
    const session = new Session(this.#own, this.#logger);
    try {
      return await work(session);
    } finally {
      session.close();
    }
  }
}

const linkNames = (session: Session, ns: string | undefined): Map<number, string> =>
  new Map(listLinks(session.route(ns)).map((link) => [link.index, link.name]));
