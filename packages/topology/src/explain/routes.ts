/** Plans routes, rules and permanent neighbours of a namespace as they were observed. Pure. */
import { parseIp, parsePrefix, prefixContains } from '@netyard/core';
import type { HostNamespace, NamespaceRoute } from '../model.ts';
import type { Place } from './links.ts';
import { ipStep, objectStep, type Step, words } from './steps.ts';

/** rtnetlink(7), RTPROT_: routes of the kernel follow from addresses, those of router advertisements are learned. */
const derivedProtocols: ReadonlySet<number> = new Set([2, 9]);
const localTable = 255;
const mainTable = 254;
/** ip-rule(8): the rules of every namespace. */
const ownPriorities: ReadonlySet<number> = new Set([0, 32766, 32767]);
const ipv6DefaultMetric = 1024;

/** `links`: names of links; default all. Gateways last, as they must be reachable. */
export function routeSteps({ namespace, ns }: Place, links?: ReadonlySet<string>): Step[] {
  const routes = namespace.routes
    .filter(({ protocol, table }) => !derivedProtocols.has(protocol) && table !== localTable)
    .filter(({ link }) => links === undefined || (link !== undefined && links.has(link)));
  const groups = [...Map.groupBy(routes, keyOf).values()];
  const ordered = groups.sort((a, b) => Number(a[0]?.via !== undefined) - Number(b[0]?.via !== undefined));
  return ordered.flatMap((hops) => routeStep(hops, namespace, ns) ?? []);
}

const keyOf = ({ family, to, table, metric, type }: NamespaceRoute): string =>
  [family, to, table, metric, type].join(' ');

function routeStep(
  hops: readonly NamespaceRoute[],
  namespace: HostNamespace,
  ns: string | undefined,
): Step | undefined {
  const [route, ...more] = hops;
  if (route === undefined) return undefined;
  const { family, to, via, link, source, table, type, protocol } = route;
  const metric = family === 6 && route.metric === ipv6DefaultMetric ? undefined : route.metric;
  const common = [
    ...words('metric', metric || undefined),
    ...words('table', table === mainTable ? undefined : table),
    ...words('proto', protocol > 4 ? protocol : undefined),
  ];
  if (type !== 'unicast') return ipStep('route', ns, ...flagOf(family, to), 'route', 'add', type, to, ...common);
  if (more.length > 0) {
    const each = hops.flatMap((hop) => ['nexthop', ...words('via', hop.via), ...words('dev', hop.link)]);
    return ipStep('route', ns, ...flagOf(family, to), 'route', 'add', to, ...common, ...each);
  }
  return objectStep({
    ...{ kind: 'route', to, family },
    ...(ns === undefined ? {} : { ns }),
    ...(via === undefined ? {} : { via }),
    ...(link === undefined ? {} : { link }),
    ...(source === undefined ? {} : { source }),
    ...(metric ? { metric } : {}),
    ...(table === mainTable ? {} : { table }),
    ...(protocol > 4 ? { protocol } : {}),
    ...(via !== undefined && !isReachable(via, link, namespace) ? { onlink: true } : {}),
  });
}

const flagOf = (family: 4 | 6, to: string): string[] => (family === 6 && to === 'default' ? ['-6'] : []);

/** Whether an address of the link, or a route without a gateway, makes the gateway reachable. */
function isReachable(via: string, link: string | undefined, { links, routes }: HostNamespace): boolean {
  const ip = parseIp(via);
  if (/^fe[89ab]/.test(via)) return true;
  const addresses = links.flatMap((each) => (each.name === link ? each.addresses : []));
  const direct = routes.filter((route) => route.link === link && route.via === undefined && route.to !== 'default');
  return [...addresses, ...direct.map(({ to }) => to)].some((prefix) => prefixContains(parsePrefix(prefix), ip));
}

export function ruleSteps({ namespace, ns }: Place): Step[] {
  return namespace.rules
    .filter(({ priority }) => !ownPriorities.has(priority))
    .map((rule) => {
      const mark = rule.mark === undefined ? undefined : `0x${rule.mark.toString(16)}${maskText(rule.markMask)}`;
      const selectors = [
        ...(rule.not ? ['not'] : []),
        ...words('from', rule.from ?? 'all'),
        ...words('to', rule.to),
        ...words('iif', rule.inputLink),
        ...words('oif', rule.outputLink),
        ...words('fwmark', mark),
      ];
      const action = rule.action === 'lookup' ? words('lookup', rule.table) : [rule.action];
      const family = rule.family === 6 ? ['-6'] : [];
      return ipStep('rule', ns, ...family, 'rule', 'add', 'priority', rule.priority, ...selectors, ...action);
    });
}

const maskText = (mask: number | undefined): string =>
  mask === undefined || mask === 0xffffffff ? '' : `/0x${mask.toString(16)}`;

export const neighbourSteps = ({ namespace, ns }: Place): Step[] =>
  namespace.neighbours.flatMap(({ link, address, mac, state }) =>
    state !== 'permanent' || mac === undefined
      ? []
      : objectStep({ kind: 'neighbour', ...(ns === undefined ? {} : { ns }), link, address, mac }),
  );
