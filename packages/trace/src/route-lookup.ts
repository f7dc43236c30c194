/** The route that a namespace's tables give for an address: longest prefix, local table before main. Pure. */
import { type Ip, parseIp, prefixContains, tryParsePrefix } from '@netyard/core';
import type { HostNamespace, NamespaceRoute } from '@netyard/topology';

const localTable = 255;
const mainTable = 254;

/**
 * Ignores policy rules and the tables that they name: the kernel is asked for these (RTM_GETROUTE). Undefined without a
 * route. Among equal prefixes the smallest metric wins.
 */
export function lookUpRoute(namespace: HostNamespace, destination: string): NamespaceRoute | undefined {
  const address = parseIp(destination);
  return bestOf(namespace.routes, localTable, address) ?? bestOf(namespace.routes, mainTable, address);
}

function bestOf(routes: readonly NamespaceRoute[], table: number, address: Ip): NamespaceRoute | undefined {
  let best: { route: NamespaceRoute; length: number } | undefined;
  for (const route of routes) {
    if (route.table !== table || route.family !== address.family) continue;
    const length = matchedLength(route.to, address);
    if (length === undefined) continue;
    const isBetter =
      best === undefined ||
      length > best.length ||
      (length === best.length && (route.metric ?? 0) < (best.route.metric ?? 0));
    if (isBetter) best = { route, length };
  }
  return best?.route;
}

/** Whether an address, with or without a length, is in a prefix. */
export const isIn = (address: string, prefix: string): boolean =>
  matchedLength(prefix, parseIp(withoutLength(address))) !== undefined;

function matchedLength(to: string, address: Ip): number | undefined {
  if (to === 'default') return 0;
  const prefix = tryParsePrefix(to.includes('/') ? to : `${to}/${address.family === 4 ? 32 : 128}`);
  return prefix !== undefined && prefixContains(prefix, address) ? prefix.length : undefined;
}

/** `10.0.0.0/8 via 10.1.0.1 dev eth0`, as `ip route` prints it. */
export function formatRoute({ type, to, via, link }: NamespaceRoute): string {
  const kind = type === 'unicast' ? '' : `${type} `;
  return `${kind}${to}${via === undefined ? '' : ` via ${via}`}${link === undefined ? '' : ` dev ${link}`}`;
}

/** Of `10.1.0.2/24`: `10.1.0.2`. */
export const withoutLength = (prefix: string): string => prefix.split('/')[0] ?? prefix;
