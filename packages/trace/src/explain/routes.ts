/** Causes in routing: no route, forwarding off, reverse path filter, answers by another way. Pure. */
import type { Conclusion } from '../model.ts';
import { formatRoute, lookUpRoute } from '../route-lookup.ts';
import {
  answers,
  type CauseFinder,
  forward,
  growthOf,
  nameOf,
  namespaceOf,
  networksOf,
  notReached,
  placeName,
  type TraceCase,
} from './case.ts';

const wasSeen = (trace: TraceCase): Conclusion['grade'] => (trace.evidence ? 'observed' : 'predicted');

/** The sender has no route, or a router on the way has none. */
export const noRoute: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind !== 'no-route') return undefined;
  const { destination } = end.packet;
  const place = placeName(trace, end.namespaceId);
  if (end.route !== undefined) {
    return notReached('route-refuses', `Stopped at ${place}: the route "${end.route}" refuses ${destination}.`, {
      grade: wasSeen(trace),
      fix: `ip route delete ${end.route.replace(/ dev lo$/, '')}`,
    });
  }
  const own = networksOf(trace, trace.from.container);
  if (end.namespaceId === trace.from.namespace?.id && own.length > 0 && own.every(({ internal }) => internal)) {
    return notReached(
      'internal',
      `${nameOf(trace.from)} cannot leave: its only network, ${own.map(({ name }) => name).join(', ')}, is internal.`,
      {
        grade: wasSeen(trace),
        fix: `connect ${nameOf(trace.from)} to a network that is not internal`,
      },
    );
  }
  const isHost = namespaceOf(trace, end.namespaceId)?.isHost === true;
  return notReached('no-route', `${place} has no route to ${destination}.`, {
    grade: wasSeen(trace),
    fix: isHost
      ? `netyard peer add NAME --address HOST --subnet SUBNET, or: ip route add ${destination} via ROUTER`
      : `ip route add default via GATEWAY (in ${place})`,
  });
};

export const forwardingOff: CauseFinder = (trace) => {
  const { end } = trace.path;
  if (end.kind !== 'not-forwarded') return undefined;
  const key = end.packet.destination.includes(':') ? 'net.ipv6.conf.all.forwarding' : 'net.ipv4.ip_forward';
  return notReached('forwarding-off', `Dropped at ${placeName(trace, end.namespaceId)}: ${key} is 0.`, {
    grade: trace.evidence ? 'inferred' : 'predicted',
    fix: `sysctl -w ${key}=1`,
  });
};

/** The kernel refuses packets whose answers would leave by another interface (ip-sysctl, rp_filter). */
export const reversePathFilter: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  const seen = forward(evidence).filter(({ direction }) => direction === 'in');
  for (const { namespaceId, link, packet } of seen.reverse()) {
    const namespace = namespaceOf(trace, namespaceId);
    if (growthOf(trace, namespaceId, /IPReversePathFilter$/) === 0 || namespace === undefined) continue;
    const input = namespace.links.find(({ name }) => name === link);
    if (input === undefined || input.rpFilter === 0) continue;
    const back = packet.source === undefined ? undefined : lookUpRoute(namespace, packet.source);
    if (back?.link === link) continue;
    const instead =
      back?.link === undefined ? 'there is no route back' : `answers would leave by ${back.link}, not ${link}`;
    return notReached('rp-filter', `Dropped at ${placeName(trace, namespaceId)} by rp_filter: ${instead}.`, {
      fix: `ip route add ${packet.source ?? 'SOURCE'} dev ${link}, or: sysctl -w net.ipv4.conf.${link}.rp_filter=2`,
    });
  }
  return undefined;
};

/** The target answered, and the answer left a namespace by an interface other than the one the packet came by. */
export const asymmetric: CauseFinder = (trace) => {
  const { evidence } = trace;
  if (evidence === undefined || evidence.probe.outcome === 'answered') return undefined;
  const sent = answers(evidence).filter(({ direction }) => direction === 'out');
  const last = sent.at(-1);
  if (last === undefined) return undefined;
  const cameBy = forward(evidence).find(
    ({ namespaceId, direction }) => namespaceId === last.namespaceId && direction === 'in',
  );
  if (cameBy === undefined || cameBy.link === last.link) return undefined;
  const namespace = namespaceOf(trace, last.namespaceId);
  const route = namespace && lookUpRoute(namespace, last.packet.destination);
  // On a bridge the packet is seen on its port and on the bridge itself: the same way.
  const master = namespace?.links.find(({ name }) => name === cameBy.link)?.masterIndex;
  if (route === undefined || namespace?.links.find(({ index }) => index === master)?.name === last.link)
    return undefined;
  if (route.link === cameBy.link) return undefined;
  const place = placeName(trace, last.namespaceId);
  const via = route.via === undefined ? '' : ` to ${route.via}`;
  return notReached(
    'asymmetric',
    `Answered, but ${place} sends the answer by ${last.link}${via} instead of ${cameBy.link}.`,
    {
      fix: `correct the route "${formatRoute(route)}" in ${place}`,
    },
  );
};
