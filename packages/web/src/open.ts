/** Connects the topology page with the engine, the networks and the kernel of this daemon. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Clock, type Logger, messageOf, NetyardError } from '@netyard/core';
import { captureFile, type DaemonInfo, type ShellPrinter } from '@netyard/docker-api';
import type { ContainerService, EventStream } from '@netyard/engine';
import type { Kernel, LinkStatistics, ObservedLink } from '@netyard/kernel';
import { driverOf, type NetworkRecord, segmentOfLink } from '@netyard/network';
import type { PageItem } from '@netyard/page';
import type { Networks } from '@netyard/sandbox';
import type { HostTopology } from '@netyard/topology';
import { Feed, type FeedSource } from './feed.ts';
import { planOtherEngines } from './other-engines.ts';
import { hostId, planPicture } from './picture.ts';
import { planRemoteHosts, type RemoteHost } from './remote-hosts.ts';
import { describeRules, selectElements } from './rules.ts';
import type { CaptureQuery, PageQueries, RulesQuery } from './server.ts';
import { parseTraceReport, planTraceArguments } from './trace.ts';

/** Netyard's own command line. Each resolves with JSON. */
export interface PageCommands {
  /** `netyard trace --json FROM TO` */
  trace(from: string, to: string, signal: AbortSignal): Promise<string>;
  /** `netyard topology --json` */
  topology(signal: AbortSignal): Promise<string>;
}

/** Other engines report no changes: while a page is open they are asked again this often, and peers' APIs. */
const ENGINES_MS = 60_000;
const PEERS_MS = 30_000;

export interface PageSources {
  engine: { containers: Pick<ContainerService, 'list'>; events: Pick<EventStream, 'subscribe'> };
  networks: Pick<Networks, 'list' | 'links' | 'config' | 'peers' | 'explain' | 'inspect' | 'warnings' | 'capture'>;
  kernel: Pick<Kernel, 'listLinks' | 'listLinkStatistics' | 'listRoutes'>;
  shell: Pick<ShellPrinter, 'printPlan' | 'printObject'>;
  commands: PageCommands;
  /** The other hosts of the cluster; absent without one. */
  remoteHosts?: () => readonly RemoteHost[];
  /** Names of the peers whose APIs answer this daemon. */
  reachablePeers(signal: AbortSignal): Promise<readonly string[]>;
  info: DaemonInfo;
  clock: Clock;
  logger: Logger;
}

export const openFeed = (sources: PageSources): Feed => new Feed(openSource(sources), sources.clock, sources.logger);

function openSource(sources: PageSources): FeedSource {
  const { engine, networks, kernel, info, remoteHosts, logger } = sources;
  let others: readonly PageItem[] = [];
  let reachable: ReadonlySet<string> = new Set();
  let names: ReadonlyMap<number, string> = new Map();
  return {
    async read() {
      const [containers, peers, links, routes] = await Promise.all([
        engine.containers.list({ all: true, limit: 0, size: false, filters: new Map() }),
        networks.peers(),
        kernel.listLinks(),
        kernel.listRoutes(),
      ]);
      names = new Map(links.map(({ index, name }) => [index, name]));
      const defaults = routes.flatMap(({ to, link }) => (to === 'default' && link !== undefined ? [link] : []));
      const items = planPicture({
        host: { name: info.hostname, version: info.version },
        networks: networks.list(),
        networkLink: linkOf,
        segmentLinks: segmentLinksIn(links),
        containers,
        links: (id) => networks.links(id),
        mode: (id) => networks.config(id)?.mode,
        peers,
        reachablePeers: reachable,
        interfaces: new Map(links.map((link) => [link.name, { mtu: link.mtu, up: link.up }])),
        uplinks: [...new Set(defaults)],
        warnings: networks.warnings(),
      });
      items.push(...others, ...planRemoteHosts(remoteHosts?.() ?? [], reachable));
      return { items, peerPackets: new Map(peers.map(({ record, packets }) => [`peer:${record.name}`, packets])) };
    },
    async sample() {
      return byName(await kernel.listLinkStatistics(), names);
    },
    watch(changed, signal) {
      void follow(engine.events, changed, signal).catch((error: unknown) => {
        if (!signal.aborted) logger.warn('the topology page follows no events any more', { error });
      });
      void followEngines(sources, signal, (items) => {
        others = items;
        changed();
      });
      void followPeers(sources, signal, (peers) => {
        reachable = peers;
        changed();
      });
    },
  };
}

/** Observes other engines until the signal. What was found before is kept when it fails. */
async function followEngines(
  { commands, info, logger }: PageSources,
  signal: AbortSignal,
  found: (items: PageItem[]) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      found(planOtherEngines(JSON.parse(await commands.topology(signal)) as HostTopology, hostId(info.hostname)));
    } catch (error) {
      if (!signal.aborted) logger.warn('the topology page does not show other engines', { error: messageOf(error) });
    }
    await pause(ENGINES_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Asks peers' APIs until the signal, and calls back after the first answers and when others answer. */
async function followPeers(
  { reachablePeers, logger }: PageSources,
  signal: AbortSignal,
  found: (names: ReadonlySet<string>) => void,
): Promise<void> {
  let before = '';
  while (!signal.aborted) {
    try {
      const names = await reachablePeers(signal);
      const after = JSON.stringify([...names].sort());
      if (after !== before && !signal.aborted) found(new Set(names));
      before = after;
    } catch (error) {
      if (!signal.aborted) logger.debug('peers cannot be asked for the topology page', { error: messageOf(error) });
    }
    await pause(PEERS_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function follow(
  events: PageSources['engine']['events'],
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const filters = new Map([['type', ['container', 'network']]]);
  for await (const { action } of events.subscribe({ since: undefined, until: undefined, filters, signal }))
    if (!/^(?:exec_|top$|attach$|resize$)/.test(action)) changed();
}

/** A new interface is missing until the next read. */
function byName(
  counters: ReadonlyMap<number, LinkStatistics>,
  names: ReadonlyMap<ObservedLink['index'], string>,
): Map<string, LinkStatistics> {
  const found = new Map<string, LinkStatistics>();
  for (const [index, statistics] of counters) {
    const name = names.get(index);
    if (name !== undefined) found.set(name, statistics);
  }
  return found;
}

/** The bridge of a network, or its parent. */
function linkOf(network: NetworkRecord): string | undefined {
  const driver = driverOf(network);
  return driver.openPlanner(network).bridge?.link ?? driver.parentOf(network)?.link;
}

/** Those that exist; a network that has no segments has none. */
export function segmentLinksIn(
  links: readonly Pick<ObservedLink, 'name'>[],
): (network: NetworkRecord) => readonly string[] {
  const names = links.map(({ name }) => name).filter((name) => segmentOfLink(name) !== undefined);
  const byNetwork = Map.groupBy(names, (name) => segmentOfLink(name)?.networkPrefix);
  return ({ id }) => (byNetwork.get(id.slice(0, 10)) ?? []).toSorted();
}

export function openQueries({ networks, shell, commands, info, clock }: PageSources): PageQueries {
  return {
    explain: (ref) => ({ script: shell.printPlan(networks.explain(ref)) }),
    rules: (query) => ({ rules: findRules(networks, shell, query) }),
    async checks() {
      const checks = await networks.inspect();
      return { checks: checks.map(({ grade, text, fix }) => ({ grade, text, fix: fix ?? '' })) };
    },
    capture: async (request, signal) => openCapture(networks, info, clock, request, signal),
    trace: async (request, signal) => parseTraceReport(await commands.trace(...planTraceArguments(request), signal)),
  };
}

function findRules(
  networks: PageSources['networks'],
  shell: PageSources['shell'],
  { ref, port, linkTo }: RulesQuery,
): ReturnType<typeof describeRules> {
  const elements = networks.explain(ref).objects.filter((object) => object.kind === 'nft-element');
  const print = (element: (typeof elements)[number]): string => shell.printObject(element);
  if (linkTo !== undefined) return describeRules(selectElements(elements, { linkTo }), print);
  if (port === undefined) return describeRules(elements, print);
  const [, hostPort = '', protocol = ''] = /^(\d{1,5})\/(tcp|udp|sctp)$/.exec(port) ?? [];
  if (hostPort === '') throw new NetyardError('invalid', `invalid port ${JSON.stringify(port)}: use 8080/tcp`);
  return describeRules(selectElements(elements, { hostPort: Number(hostPort), protocol }), print);
}

/** Ends after `count` packets or `seconds`. */
async function openCapture(
  networks: PageSources['networks'],
  info: DaemonInfo,
  clock: Clock,
  { target, filter, count, seconds }: CaptureQuery,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const session = await networks.capture({ target, count, ...(filter === '' ? {} : { filter }) });
  const timer = setTimeout(() => session.packets.stop(), seconds * 1_000);
  const end = (): void => {
    clearTimeout(timer);
    session.packets.close();
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return captureFile(session, filter, info, clock);
}
