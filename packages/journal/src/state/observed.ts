/** Parts of a host's network as it was observed, and of a container's as it was planned. Pure. */

import { formatPrefix, networkOf, parsePrefix } from '@netyard/core';
import type { KernelObject, ObservedNetworkState, VethObject } from '@netyard/kernel';
import { groupOf, type ItemGroup, type StateItem, type StatePrinter } from './item.ts';
import { isLinkLocal } from './known-host.ts';
import { groupsOfRuleset } from './ruleset.ts';

type Link = ObservedNetworkState['links'][number];
type Route = ObservedNetworkState['routes'][number];
type Rule = ObservedNetworkState['rules'][number];

/** rtnetlink(7), RTPROT_. */
const kernelProtocol = 2;
const routerAdvertisement = 9;
const mainTable = 254;
/** ip-rule(8): the rules of every namespace. */
const ownPriorities: ReadonlySet<number> = new Set([0, 32766, 32767]);
const defaultMetric6 = 1024;
const usualMtu = 1500;

/** @param planned names of links that belong to containers, whose parts are those of `itemsOfContainer` */
export function* itemsOfHost(
  state: ObservedNetworkState,
  planned: ReadonlySet<string>,
  printer: StatePrinter,
): Generator<StateItem> {
  for (const { items = [] } of groupsOfHost(state, planned, printer, () => false)) yield* items;
}

/** @param isKnown whether the elements of the firewall in the group of this key were recorded: they are not made again */
export function* groupsOfHost(
  state: ObservedNetworkState,
  planned: ReadonlySet<string>,
  printer: StatePrinter,
  isKnown: (key: string) => boolean,
): Generator<ItemGroup> {
  for (const item of itemsOfNamespace(state, planned, printer)) yield groupOf(item);
  yield* groupsOfRuleset(state.ruleset, printer, isKnown);
}

function* itemsOfNamespace(
  state: ObservedNetworkState,
  planned: ReadonlySet<string>,
  printer: StatePrinter,
): Generator<StateItem> {
  const { links, routes, rules, neighbours, forwarding } = state;
  const shown = links.filter(({ name }) => name !== 'lo' && !planned.has(name));
  const nameOf = new Map(links.map(({ index, name }) => [index, name]));
  // Bridges first: other links refer to them.
  const ordered = shown.toSorted((a, b) => Number(b.kind === 'bridge') - Number(a.kind === 'bridge'));
  const subnets = subnetKeys(shown, printer);
  yield forwardingItem('net.ipv4.ip_forward', forwarding.v4);
  yield forwardingItem('net.ipv6.conf.all.forwarding', forwarding.v6);
  for (const link of ordered) {
    const pair = pairOf(link, links);
    if (pair === undefined) yield linkItem(link, nameOf, printer);
    else if (link.index > pair.index) yield pairItem(link, pair, nameOf, printer);
  }
  for (const link of shown) yield* addressItems(link, printer);
  yield* routeItems(routes, subnets, printer);
  for (const rule of rules) if (!ownPriorities.has(rule.priority)) yield ruleItem(rule);
  for (const { link, address, mac } of neighbours)
    if (mac !== undefined) yield objectItem({ kind: 'neighbour', link, address, mac }, printer, `link ${link}`);
}

/** Without files and elements of the firewall, which are parts of the host. */
export function itemsOfContainer(objects: readonly KernelObject[], printer: StatePrinter): StateItem[] {
  const namespace = objects.find(({ kind }) => kind === 'netns');
  if (namespace === undefined) return [];
  const of = printer.identify(namespace);
  const inside = objects.filter((object) => isInside(object) && object !== namespace);
  return [objectItem(namespace, printer), ...inside.map((object) => objectItem(object, printer, of))];
}

const isInside = (object: KernelObject): boolean =>
  ('ns' in object && object.ns !== undefined) || (object.kind === 'veth' && object.peer.ns !== undefined);

/** Names of the links on the host that belong to a container: not those of pairs between bridges of the host. */
export const hostLinksOf = (objects: readonly KernelObject[]): string[] =>
  objects.flatMap((object) =>
    object.kind === 'veth' && object.ns === undefined && object.peer.ns !== undefined ? [object.name] : [],
  );

function objectItem(object: KernelObject, printer: StatePrinter, of?: string): StateItem {
  return {
    key: printer.identify(object),
    create: printer.printCommands({ action: 'create', object }),
    change: printer.printCommands({ action: 'change', object }),
    remove: printer.printCommands({ action: 'delete', object }),
    ...(of === undefined ? {} : { of }),
  };
}

function forwardingItem(key: string, isOn: boolean): StateItem {
  const command = `sysctl -q -w ${key}=${isOn ? '1' : '0'}`;
  return { key: `sysctl ${key}`, create: [command], change: [command], remove: [] };
}

/** The link with its settings. Its key has its kind: one of another kind is created anew. */
function linkItem(link: Link, nameOf: ReadonlyMap<number, string>, printer: StatePrinter): StateItem {
  const { name, up, mtu, owner, kind = 'device' } = link;
  const key = `link ${name}`;
  const master = link.masterIndex === undefined ? undefined : nameOf.get(link.masterIndex);
  const joined = master === undefined ? [] : [`ip link set dev ${name} master ${master}`];
  const released = [`ip link set dev ${name} nomaster`];
  const changed = (commands: string[]): string[] => [...commands, ...(master === undefined ? released : joined)];
  const described = { name, up, mtu, ...(owner === undefined ? {} : { owner }) };
  const object = objectOfLink(link, nameOf, described);
  if (object === undefined) {
    const settings = printer.printCommands({ action: 'change', object: { kind: 'link-state', name, up, mtu } });
    const create = [`# ${name}, an interface of kind ${kind}, was added by another program`, ...settings, ...joined];
    const change = kind === 'veth' || kind === 'device' ? changed(settings) : settings;
    return { key, create, change, remove: [`# ${name}, an interface of kind ${kind}, was removed by another program`] };
  }
  const change = printer.printCommands({ action: 'change', object });
  return {
    key: object.kind === 'bridge' ? key : `${key} ${kind}`,
    create: [...printer.printCommands({ action: 'create', object }), ...joined],
    change: object.kind === 'bridge' ? change : changed(change),
    remove: printer.printCommands({ action: 'delete', object }),
  };
}

/** The other end of a veth pair, if both are on this host. */
const pairOf = ({ kind, peerIndex, peerNsId }: Link, links: readonly Link[]): Link | undefined =>
  kind === 'veth' && peerNsId === undefined ? links.find(({ index }) => index === peerIndex) : undefined;

/**
 * A veth pair with both ends on the host, such as between two bridges: one part, of the end with the greater index. The kernel
 * creates the peer first, so that a pair which is created again has the same part.
 */
function pairItem(near: Link, far: Link, nameOf: ReadonlyMap<number, string>, printer: StatePrinter): StateItem {
  const masterOf = ({ masterIndex }: Link): { master?: string } => {
    const master = masterIndex === undefined ? undefined : nameOf.get(masterIndex);
    return master === undefined ? {} : { master };
  };
  const { name, up, mtu, owner } = near;
  const object: VethObject = {
    ...{ kind: 'veth', name, up, ...(mtu === usualMtu ? {} : { mtu }), ...(owner === undefined ? {} : { owner }) },
    ...masterOf(near),
    peer: { name: far.name, up: far.up, ...masterOf(far) },
  };
  const resized = far.mtu === mtu ? [] : [`ip link set dev ${far.name} mtu ${far.mtu}`];
  const released = [near, far].filter(({ masterIndex }) => masterIndex === undefined);
  return {
    key: `link ${name} veth`,
    create: [...printer.printCommands({ action: 'create', object }), ...resized],
    change: [
      ...printer.printCommands({ action: 'change', object: { ...object, mtu } }),
      ...resized,
      ...released.map((link) => `ip link set dev ${link.name} nomaster`),
    ],
    remove: printer.printCommands({ action: 'delete', object }),
  };
}

/** Undefined for kinds that one command on this host cannot create. */
function objectOfLink(
  { kind, name, peerIndex, vxlan, vlanId, mac }: Link,
  nameOf: ReadonlyMap<number, string>,
  { mtu, ...described }: { name: string; up: boolean; mtu: number; owner?: string },
): KernelObject | undefined {
  const size = mtu === usualMtu ? {} : { mtu };
  const parent = peerIndex === undefined ? undefined : nameOf.get(peerIndex);
  if (kind === 'bridge') return { kind, ...described, mtu };
  if (kind === 'dummy') return { kind, ...described };
  if (kind === 'vxlan' && vxlan)
    return { kind, ...described, ...vxlan, ...size, ...(mac === undefined ? {} : { mac }) };
  if (kind === 'vlan' && vlanId !== undefined && parent !== undefined)
    return { kind, ...described, parent, id: vlanId, owner: described.owner ?? name };
  return undefined;
}

function addressItems({ name, addresses }: Link, printer: StatePrinter): StateItem[] {
  return addresses
    .filter(({ prefix }) => !isLinkLocal(prefix))
    .map((address) => objectItem({ kind: 'address', link: name, ...address }, printer, `link ${name}`));
}

/** Key of the address that brings a subnet's route along, by `SUBNET LINK`. */
function subnetKeys(links: readonly Link[], printer: StatePrinter): Map<string, string> {
  const found = links.flatMap(({ name, addresses }) =>
    addresses.map(({ prefix }): [string, string] => [
      `${formatPrefix(networkOf(parsePrefix(prefix)))} ${name}`,
      printer.identify({ kind: 'address', link: name, prefix }),
    ]),
  );
  return new Map(found);
}

/** Routes without a gateway first: gateways must be reachable. */
function routeItems(
  routes: readonly Route[],
  subnets: ReadonlyMap<string, string>,
  printer: StatePrinter,
): StateItem[] {
  const shown = routes.filter(({ to, protocol }) => protocol !== routerAdvertisement && !isLinkLocal(to));
  const groups = [...Map.groupBy(shown, routeKey).values()];
  const ordered = groups.toSorted((a, b) => Number(a[0]?.via !== undefined) - Number(b[0]?.via !== undefined));
  return ordered.flatMap((hops) => routeItem(hops, subnets, printer) ?? []);
}

const routeKey = ({ family, to, table, metric, type }: Route): string => [family, to, table, metric, type].join(' ');

function routeItem(
  hops: readonly Route[],
  subnets: ReadonlyMap<string, string>,
  printer: StatePrinter,
): StateItem | undefined {
  const [route, ...more] = hops;
  if (route === undefined) return undefined;
  const key = `route ${routeKey(route)}`;
  const of = route.link === undefined ? {} : { of: `link ${route.link}` };
  if (route.type !== 'unicast' || more.length > 0) return { key, ...of, ...routeLines(route, hops) };
  const object = routeObject(route);
  const address = route.protocol === kernelProtocol ? subnets.get(`${route.to} ${route.link}`) : undefined;
  if (address !== undefined) return { ...objectItem(object, printer, address), key, derived: true };
  return { ...objectItem(object, printer), key, ...of };
}

function routeObject({ family, to, via, link, source, metric, table, protocol, onlink }: Route): KernelObject {
  return {
    ...{ kind: 'route', to, family },
    ...(via === undefined ? {} : { via }),
    ...(link === undefined ? {} : { link }),
    ...(source === undefined ? {} : { source }),
    ...(!metric || (family === 6 && metric === defaultMetric6) ? {} : { metric }),
    ...(table === mainTable ? {} : { table }),
    ...(protocol === kernelProtocol ? { scope: 'link', protocol } : protocol > 4 ? { protocol } : {}),
    ...(onlink ? { onlink: true } : {}),
  };
}

/** Routes to nowhere, and routes with several next hops. */
function routeLines(route: Route, hops: readonly Route[]): Pick<StateItem, 'create' | 'change' | 'remove'> {
  const { family, to, metric, table, type } = route;
  const ip = family === 6 && to === 'default' ? 'ip -6 route' : 'ip route';
  const kind = type === 'unicast' ? '' : `${type} `;
  const selected = [...(metric ? ['metric', metric] : []), ...(table === mainTable ? [] : ['table', table])];
  const each =
    type === 'unicast' ? hops.flatMap(({ via, link }) => ['nexthop', ...word('via', via), ...word('dev', link)]) : [];
  const text = [`${kind}${to}`, ...selected, ...each].join(' ');
  return {
    create: [`${ip} add ${text}`],
    change: [`${ip} replace ${text}`],
    remove: [`${ip} delete ${[`${kind}${to}`, ...selected].join(' ')}`],
  };
}

const word = (name: string, value: string | number | undefined): (string | number)[] =>
  value === undefined ? [] : [name, value];

function ruleItem(rule: Rule): StateItem {
  const mask = rule.markMask === undefined || rule.markMask === 0xffffffff ? '' : `/0x${rule.markMask.toString(16)}`;
  const mark = rule.mark === undefined ? undefined : `0x${rule.mark.toString(16)}${mask}`;
  const words = [
    ...['priority', rule.priority, ...(rule.not ? ['not'] : []), 'from', rule.from ?? 'all'],
    ...[
      ...word('to', rule.to),
      ...word('iif', rule.inputLink),
      ...word('oif', rule.outputLink),
      ...word('fwmark', mark),
    ],
    ...(rule.action === 'lookup' ? word('lookup', rule.table) : [rule.action]),
  ];
  const ip = rule.family === 6 ? 'ip -6 rule' : 'ip rule';
  const text = words.join(' ');
  return { key: `rule ${rule.family} ${text}`, create: [`${ip} add ${text}`], remove: [`${ip} delete ${text}`] };
}
