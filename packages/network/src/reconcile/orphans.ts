/** Finds Netyard objects that no plan references: after a crash, and for `system cleanup` without any state. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Kernel, KernelObject, NftRuleObject, ObservedLink } from '@netyard/kernel';
import type { Peers } from '@netyard/peers';
import type { Attachments } from '../attachments.ts';
import type { NetworkRecord, NetworkSettings } from '../contract.ts';
import { proxyProtocol } from '../drivers/bridge/ndp-proxy.ts';
import { families } from '../family.ts';
import { findStaleRules } from '../firewall/foreign.ts';
import { endpointSets, type NetyardSet, networkSets, planTables, tableName, tablesOf } from '../firewall/table.ts';
import { isHostLinkName, isNetnsName, ownerPrefix, segmentOfLink, segmentOwnerPrefix } from '../object-names.ts';
import { usesIpv6 } from '../plan/host.ts';
import { type ForeignRulesDependencies, readForeignChains } from './foreign-rules.ts';
import type { LinkDeletions } from './link-deletions.ts';
import { type PlanNetworksDependencies, planNetworks } from './plan-networks.ts';
import { listElements } from './table-elements.ts';

/** Dependencies of the functions in this file. */
export interface OrphansDependencies extends ForeignRulesDependencies, PlanNetworksDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly attachments: Attachments;
  readonly peers: Peers;
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
  readonly linkDeletions: LinkDeletions;
  ownDeletion(): void;
}

/** In creation order, so that `remove` deletes them in the correct (reverse) order. */
export async function findOrphans(
  context: OrphansDependencies,
  options: { keepDesired: boolean },
): Promise<KernelObject[]> {
  const desired = options.keepDesired ? planEverything(context) : [];
  const known = new Set(desired.map(identify));
  const found = [
    ...orphanNamespaces(context),
    ...(await orphanTables(context)),
    ...(await orphanLinks(context, options.keepDesired)),
    ...(options.keepDesired && context.peers.awaitsCluster ? [] : await context.peers.findObjects()),
    ...(await orphanProxies(context)),
    ...(options.keepDesired ? await orphanElements(context) : []),
    ...(await findStaleForeignRules(context, options.keepDesired ? context.foreign.rules : [])),
  ];
  const orphans = found.filter((object) => !known.has(identify(object)));
  // The namespace of a sharer belongs to an owner that may be stopped: no plan contains it.
  const shared = new Set(options.keepDesired ? context.attachments.running().map(({ netnsPath }) => netnsPath) : []);
  return orphans.filter((object) => object.kind !== 'netns' || !shared.has(object.path));
}

/** Also of IPv6 when no network has it any more. */
async function findStaleForeignRules(
  context: OrphansDependencies,
  desired: readonly NftRuleObject[],
): Promise<NftRuleObject[]> {
  const views = await Promise.all(families.map((version) => readForeignChains(context, version)));
  return views.flatMap((view) => findStaleRules(view, desired));
}

function planEverything(context: OrphansDependencies): KernelObject[] {
  const { attachments, networks, peers } = context;
  const attached = attachments.running().flatMap(({ id }) => attachments.plan(id));
  return [...planNetworks(context, [...networks.keys()]), ...attached, ...peers.plan()];
}

function identify(object: KernelObject): string {
  switch (object.kind) {
    case 'netns':
      return `netns ${object.path}`;
    case 'nft-element':
      return `element ${object.family} ${object.set} ${object.key}`;
    case 'nft-rule':
      return `rule ${object.family} ${object.table} ${object.chain} ${object.comment}`;
    case 'nft-table':
      return `table ${object.family} ${object.name}`;
    case 'bridge':
    case 'veth':
    case 'vxlan':
    case 'vlan':
    case 'dummy':
      return `link ${object.name}`;
    case 'macvlan':
      return object.ns === undefined ? `link ${object.name}` : object.kind;
    case 'route':
      return `route ${object.ns ?? ''} ${object.to}`;
    case 'fdb':
      return `fdb ${object.mac}`;
    case 'neighbour':
      return `neighbour ${object.address}`;
    case 'neighbour-proxy':
      return `neighbour proxy ${object.address} ${object.link}`;
    default:
      return object.kind;
  }
}

function orphanNamespaces(context: OrphansDependencies): KernelObject[] {
  const directory = context.settings.netnsDirectory;
  return listDirectory(directory)
    .filter(isNetnsName)
    .map((name) => ({ kind: 'netns', path: join(directory, name) }));
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function orphanLinks(context: OrphansDependencies, keepDesired: boolean): Promise<KernelObject[]> {
  const links = await context.kernel.listLinks();
  const ours = links.filter((link) => link.owner?.startsWith(ownerPrefix));
  const bridges = ours.filter((link) => link.kind === 'bridge');
  const tunnels = ours.filter((link) => link.kind === 'vxlan');
  const veths = ours.filter(
    ({ kind, name, owner }) =>
      kind === 'veth' &&
      (isHostLinkName(name) || owner?.startsWith(segmentOwnerPrefix)) &&
      !context.linkDeletions.has(name),
  );
  return [
    ...(keepDesired && context.peers.awaitsCluster ? [] : tunnels).map(
      ({ name }) => ({ kind: 'vxlan', name, id: 0, port: 1, up: false }) as const,
    ),
    ...bridges.map(({ name }) => ({ kind: 'bridge', name, up: false }) as const),
    ...ours.flatMap(planAttached),
    ...veths.map(({ name }) => ({ kind: 'veth', name, up: false, peer: { name: 'eth0', up: false } }) as const),
    ...findStrandedUplinks(links),
  ];
}

/** Pairs of segments whose other end, which has the owner text, another program moved to another namespace. */
function findStrandedUplinks(links: readonly ObservedLink[]): KernelObject[] {
  const names = new Set(links.filter(({ kind }) => kind === 'veth').map(({ name }) => name));
  return [...names].flatMap((peer): KernelObject[] => {
    const name = peer.replace(/^nyu/, 'nyt');
    const isStranded = name !== peer && segmentOfLink(peer) !== undefined && !names.has(name);
    return isStranded ? [{ kind: 'veth', name, up: false, peer: { name: peer, up: false } }] : [];
  });
}

/** Parents that networks created, and the host's interfaces on parents. Their other settings do not matter for removal. */
function planAttached({ kind, name, owner = '' }: ObservedLink): KernelObject[] {
  if (kind === 'vlan') return [{ kind, name, parent: 'lo', id: 1, owner, up: false }];
  if (kind === 'dummy') return [{ kind, name, up: false }];
  return kind === 'macvlan' ? [{ kind, name, parent: 'lo', mode: 'bridge', up: false }] : [];
}

async function orphanProxies({ kernel }: OrphansDependencies): Promise<KernelObject[]> {
  const proxies = await kernel.listNeighbourProxies();
  return proxies.flatMap(({ link, address, protocol }): KernelObject[] =>
    protocol === proxyProtocol ? [{ kind: 'neighbour-proxy', link, address, protocol }] : [],
  );
}

async function orphanTables(context: OrphansDependencies): Promise<KernelObject[]> {
  // Found by their names.
  const plain = { marks: false, routesOnlyOwn: false, checksSources: false, guarded: false };
  const tables = planTables({ ...plain, ipv6: { routesOnlyOwn: false } });
  const observations = await context.kernel.observe(tables);
  return tables.filter((_table, index) => observations[index]?.state !== 'absent');
}

async function orphanElements(context: OrphansDependencies): Promise<KernelObject[]> {
  const lists = await Promise.all([...networkSets, ...endpointSets].map((set) => listSet(context, set)));
  return lists.flat();
}

async function listSet({ kernel, facts }: OrphansDependencies, set: NetyardSet): Promise<KernelObject[]> {
  const tables = tablesOf(set, { ipv6: usesIpv6(facts) });
  const lists = await Promise.all(tables.map((family) => listElements(kernel, set, family)));
  return tables.flatMap((family, index) =>
    (lists[index] ?? []).map(({ key, value }): KernelObject => {
      const element = { kind: 'nft-element', family, table: tableName, set, key } as const;
      return value === undefined ? element : { ...element, value };
    }),
  );
}

/** Elements in the sets of networks and endpoints that no plan contains: another program added them. */
export async function findForeignElements(context: OrphansDependencies): Promise<KernelObject[]> {
  const found = await orphanElements(context);
  const known = new Set(planEverything(context).map(identify));
  return found.filter((object) => !known.has(identify(object)));
}

/** Deletes all of Netyard's objects; while the daemon runs, only orphans. Returns descriptions of them. */
export async function cleanup(
  context: OrphansDependencies,
  options: { dryRun: boolean; keepDesired: boolean },
  describeObject: (object: KernelObject) => string,
): Promise<string[]> {
  const objects = await findOrphans(context, options);
  if (!options.dryRun && objects.length > 0) {
    context.ownDeletion();
    await context.kernel.remove({ owner: 'cleanup', objects });
  }
  return objects.map(describeObject);
}
