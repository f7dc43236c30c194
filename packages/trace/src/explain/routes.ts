/** Causes in routing: no route, forwarding off, reverse path filter, answers by another way. Pure. */
import {
  bridgeOf,
  type HostNamespace,
  isBareBridge,
  joinedBridges,
  type NamespaceLink,
  type NamespaceRoute,
} from '@netyard/topology';
import { commandLine } from '../command-line.ts';
import type { Conclusion } from '../model.ts';
import { formatRoute, lookUpRoute } from '../route-lookup.ts';
import {
  answers,
  type CauseFinder,
  commandIn,
  connectToOpenNetwork,
  forward,
  growthOf,
  nameOf,
  namespaceOf,
  networksOf,
  notReached,
  placeName,
  type TraceCase,
} from './case.ts';

/** `route`: its words as `ip route` prints them; no name of an interface has blanks. */
const routeCommand = (action: string, route: string): string =>
  ['ip', 'route', action, ...route.split(' ')].map((word) => commandLine`${word}`).join(' ');

const wasSeen = (trace: TraceCase): Conclusion['grade'] => (trace.evidence ? 'observed' : 'predicted');

/** The sender has no route, or a router on the way has none. */
export const noRoute: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind !== 'no-route') return undefined;
  const { destination } = end.packet;
  const { namespaceId, route } = end;
  const place = placeName(trace, namespaceId);
  const grade = wasSeen(trace);
  if (route !== undefined) {
    const fix = commandIn(trace, namespaceId, routeCommand('delete', route.replace(/ dev lo$/, '')));
    return notReached('route-refuses', `Stopped at ${place}: the route "${route}" refuses ${destination}.`, {
      grade,
      fix,
    });
  }
  if (namespaceId === trace.from.namespace?.id && isInternalOnly(trace)) return internalOnly(trace, grade);
  const what = trace.to.isOutside ? 'default route' : `route to ${destination}`;
  return notReached('no-route', `${place} has no ${what}.`, { grade, fix: addRoute(trace, namespaceId) });
};

function addRoute(trace: TraceCase, namespaceId: string): string {
  const { destination } = trace.path.end.packet;
  if (namespaceOf(trace, namespaceId)?.isHost) {
    if (trace.to.isOutside) return `ip ${destination.includes(':') ? '-6 ' : ''}route add default via ROUTER`;
    return `netyard peer add NAME --address HOST --subnet SUBNET, or: ip route add ${destination} via ROUTER`;
  }
  const isSix = destination.includes(':');
  const gateways = trace.from.container?.attachments.map(({ gateway, gateway6 }) => (isSix ? gateway6 : gateway)) ?? [];
  const gateway = gateways.find((one) => one !== undefined && one !== '') ?? 'GATEWAY';
  return commandIn(trace, namespaceId, `ip ${isSix ? '-6 ' : ''}${commandLine`route add default via ${gateway}`}`);
}

/** Whether all networks of the sender are internal. */
export function isInternalOnly(trace: TraceCase): boolean {
  const own = networksOf(trace, trace.from.container);
  return own.length > 0 && own.every(({ internal }) => internal);
}

export function internalOnly(trace: TraceCase, grade: Conclusion['grade']): Conclusion {
  const names = networksOf(trace, trace.from.container).map(({ name }) => name);
  const only = names.length === 1 ? `its only network, ${names[0]}, is` : `its networks, ${names.join(', ')}, are`;
  return notReached('internal', `${nameOf(trace.from)} cannot leave: ${only} internal.`, {
    ...{ grade, fix: connectToOpenNetwork(trace) },
  });
}

export const forwardingOff: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind !== 'not-forwarded') return undefined;
  const key = end.packet.destination.includes(':') ? 'net.ipv6.conf.all.forwarding' : 'net.ipv4.ip_forward';
  return notReached('forwarding-off', `Dropped at ${placeName(trace, end.namespaceId)}: ${key} is 0.`, {
    grade: trace.evidence ? 'inferred' : 'predicted',
    fix: commandIn(trace, end.namespaceId, `sysctl -w ${key}=1`),
  });
};

/** The kernel refuses packets whose answers would leave by another interface (ip-sysctl, rp_filter). */
export const reversePathFilter: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  const seen = forward(evidence).filter(({ direction, outer }) => direction === 'in' && outer === undefined);
  for (const { namespaceId, link, packet } of seen.reverse()) {
    const namespace = namespaceOf(trace, namespaceId);
    if (growthOf(trace, namespaceId, /IPReversePathFilter$/) === 0 || namespace === undefined) continue;
    const input = namespace.links.find(({ name }) => name === link);
    if (input === undefined || input.rpFilter === 0 || isBareBridge(input)) continue;
    const back = packet.source === undefined ? undefined : lookUpRoute(namespace, packet.source);
    if (back?.link === link) continue;
    return notReached(
      'rp-filter',
      `Dropped at ${placeName(trace, namespaceId)} by rp_filter: ${wayBack(back, link)}.`,
      { fix: commandIn(trace, namespaceId, routeBackBy(namespace, link, packet.source, back)) },
    );
  }
  return undefined;
};

function wayBack(back: NamespaceRoute | undefined, link: string): string {
  if (back === undefined) return 'there is no route back';
  if (back.type !== 'unicast') return `the route "${refusingRoute(back)}" refuses answers`;
  return `answers would leave by ${back.link}, not ${link}`;
}

/** Without the route that leads elsewhere, or refuses; with one of its own where no other leads there. */
function routeBackBy(
  namespace: HostNamespace,
  link: string,
  source: string | undefined,
  back: NamespaceRoute | undefined,
): string {
  const rest = { ...namespace, routes: namespace.routes.filter((route) => route !== back) };
  const other = source === undefined ? undefined : lookUpRoute(rest, source);
  if (back !== undefined && other?.link === link) return routeCommand('del', refusingRoute(back));
  return commandLine`ip route replace ${source ?? 'SOURCE'} dev ${link}`;
}

/** The kernel reports lo for routes that refuse; their commands have no interface. */
const refusingRoute = (route: NamespaceRoute): string =>
  route.type === 'unicast' ? formatRoute(route) : formatRoute(route).replace(/ dev lo$/, '');

/** The target answered, and the answer left a namespace by an interface other than the one the packet came by. */
export const asymmetric: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  for (const { namespaceId, link, packet } of answers(evidence).filter(({ direction }) => direction === 'out')) {
    const came = forward(evidence).filter((seen) => seen.namespaceId === namespaceId && seen.direction === 'in');
    const namespace = namespaceOf(trace, namespaceId);
    const cameBy = came.find((seen) => isTunnel(namespace, seen.link)) ?? came[0];
    const route = namespace && lookUpRoute(namespace, packet.destination);
    if (cameBy === undefined || route === undefined || route.link !== link) continue;
    // A tunnel's packets are seen on the uplink, too.
    if (came.some((seen) => isSameWay(namespace, seen.link, link))) continue;
    const place = placeName(trace, namespaceId);
    const via = route.via === undefined ? '' : ` to ${route.via}`;
    return notReached(
      'asymmetric',
      `Answered, but ${place} sends the answer by ${link}${via} instead of ${cameBy.link}.`,
      {
        fix: commandIn(trace, namespaceId, routeCommand('del', formatRoute(route))),
      },
    );
  }
  return undefined;
};

const isTunnel = (namespace: HostNamespace | undefined, link: string): boolean =>
  namespace?.links.find(({ name }) => name === link)?.kind === 'vxlan';

/** A packet that passes a bridge, or several that are joined, is seen on ports and on the bridges themselves. */
function isSameWay(namespace: HostNamespace | undefined, a: string, b: string): boolean {
  if (namespace === undefined) return a === b;
  const bridgeWith = (name: string): NamespaceLink | undefined => {
    const link = namespace.links.find((one) => one.name === name);
    return link && (bridgeOf(namespace, link) ?? link);
  };
  const [from, to] = [bridgeWith(a), bridgeWith(b)];
  if (from === undefined || to === undefined) return a === b;
  return joinedBridges(namespace, from).some(({ bridge }) => bridge === to);
}

/** The target answered, and a host on the way has no route for the answer, or one that refuses it. */
export const noRouteBack: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  for (const { namespaceId, packet } of answers(evidence).filter(({ direction }) => direction === 'in')) {
    const namespace = namespaceOf(trace, namespaceId);
    const source = packet.destination;
    const hasLeft = answers(evidence).some((seen) => seen.namespaceId === namespaceId && seen.direction === 'out');
    if (namespace === undefined || hasLeft) continue;
    const route = lookUpRoute(namespace, source);
    if (route?.type === 'unicast' || route?.type === 'local') continue;
    const place = placeName(trace, namespaceId);
    if (route === undefined)
      return notReached('no-route-back', `Answered, but ${place} has no route back to ${source}.`, {
        fix: commandIn(trace, namespaceId, commandLine`ip route add ${source} via ROUTER`),
      });
    const text = refusingRoute(route);
    return notReached('route-refuses-answer', `Answered, but the route "${text}" of ${place} refuses ${source}.`, {
      fix: commandIn(trace, namespaceId, routeCommand('delete', text)),
    });
  }
  return undefined;
};
