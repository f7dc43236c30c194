/**
 * The order of a container's endpoints and the names of their interfaces. Both are those of the last run where it had the
 * endpoint; Docker's order is random (moby#49935). Pure.
 */
import { interfaceNameOption } from '@netyard/network';
import type { EndpointConfig, FormerEndpoint } from '../contract.ts';

const prefixOption = 'com.docker.network.container_iface_prefix';
/** The longest interface name (IFNAMSIZ of linux/if.h). */
const longestName = 15;

/** The name that the user requested for an endpoint's interface; an empty one counts as none. */
export const requestedName = ({ driverOptions }: EndpointConfig): string | undefined =>
  driverOptions?.[interfaceNameOption] || undefined;

export const isInterfaceName = (name: string): boolean =>
  /^[^\s/:%\p{Cc}]+$/u.test(name) && name.length <= longestName && name !== 'lo' && !name.startsWith('.');

/** Endpoints of the last run in their order, then new ones: the higher gateway priority first, then by network name. */
export function orderEndpoints<T extends EndpointConfig>(
  endpoints: readonly T[],
  former: readonly FormerEndpoint[] = [],
): T[] {
  const position = ({ network }: T): number => {
    const at = former.findIndex((one) => one.network === network);
    return at < 0 ? former.length : at;
  };
  return endpoints.toSorted(
    (a, b) =>
      position(a) - position(b) ||
      (b.gatewayPriority ?? 0) - (a.gatewayPriority ?? 0) ||
      (a.network < b.network ? -1 : a.network > b.network ? 1 : 0),
  );
}

export interface NamingRequest {
  endpoint: EndpointConfig;
  /** Driver options of its network. */
  networkOptions: Record<string, string>;
  former?: FormerEndpoint | undefined;
}

/**
 * One name per request. Requested names come first, whether they are taken or not; then those of the last run; the others
 * are the prefix and the lowest free number.
 */
export function chooseInterfaceNames(requests: readonly NamingRequest[], taken: readonly string[]): string[] {
  const used = new Set(taken);
  const chosen = requests.map(({ endpoint }) => requestedName(endpoint));
  for (const name of chosen) if (name !== undefined) used.add(name);
  requests.forEach((request, at) => {
    const name = chosen[at] === undefined ? request.former?.link : undefined;
    if (name === undefined || used.has(name) || !name.startsWith(prefixOf(request))) return;
    chosen[at] = name;
    used.add(name);
  });
  return chosen.map((name, at) => {
    const request = requests[at];
    if (name !== undefined || !request) return name ?? '';
    const next = lowestFree(prefixOf(request), used);
    used.add(next);
    return next;
  });
}

const prefixOf = ({ networkOptions }: NamingRequest): string => networkOptions[prefixOption] || 'eth';

function lowestFree(prefix: string, used: ReadonlySet<string>): string {
  for (let index = 0; ; index += 1) if (!used.has(`${prefix}${index}`)) return `${prefix}${index}`;
}
