/** The plan of host-wide objects that all networks depend on: Netyard's tables and IP forwarding. Pure. */
import type { KernelObject } from '@netyard/kernel';
import type { Family } from '../family.ts';
import { element, planTables, tableFamilies } from '../firewall/table.ts';
import type { HostFacts } from '../model.ts';
import { sysctlLink } from '../object-names.ts';

/** The element of `ip_forward_enabled` that records who enabled forwarding. */
export const forwardingKey = '"ip_forward"';

/** Whether packets of a family between interfaces that are not Netyard's are dropped. */
export function routesOnlyContainers(facts: HostFacts, version: Family): boolean {
  const enabled = version === 'v4' ? facts.enabledForwarding : facts.enabledIpv6Forwarding;
  return enabled && facts.dropsForeignForwarding;
}

/**
 * Whether there is a table `ip6 netyard`. Once the daemon enabled IPv6 forwarding, the table restricts it, also when no
 * network with IPv6 is left.
 */
export const usesIpv6 = (facts: HostFacts): boolean => facts.ipv6Networks || facts.enabledIpv6Forwarding;

/** Host-wide objects that all networks depend on. The drop rules precede the forwarding that they restrict. */
export function planHost(facts: HostFacts): KernelObject[] {
  const { guarded, isolates, checksSources } = facts;
  const routesOnlyOwn = routesOnlyContainers(facts, 'v4');
  const ipv6 = usesIpv6(facts) ? { routesOnlyOwn: routesOnlyContainers(facts, 'v6') } : undefined;
  return [
    ...planTables({ marks: facts.bridgeNetfilter && isolates, routesOnlyOwn, checksSources, guarded, ipv6 }),
    ...planForwardElements(facts, 'v4'),
    ...planForwardElements(facts, 'v6'),
    ...(facts.ipForward ? [setSysctl('net.ipv4.ip_forward', '1')] : []),
    ...(facts.ipForward && facts.ipv6Networks ? planIpv6Forwarding(facts) : []),
  ];
}

/** The record of who enabled forwarding, and the exceptions from the drop rules. */
function planForwardElements(facts: HostFacts, version: Family): KernelObject[] {
  const enabled = version === 'v4' ? facts.enabledForwarding : facts.enabledIpv6Forwarding;
  const family = tableFamilies[version];
  return [
    ...(enabled ? [element('ip_forward_enabled', forwardingKey, { comment: 'by the daemon', family })] : []),
    ...(routesOnlyContainers(facts, version) ? facts.engineBridges : []).map((link) =>
      element('engine_bridges', `"${link}"`, { comment: 'of another engine', family }),
    ),
  ];
}

/** The uplinks continue to accept router advertisements, which the kernel otherwise ignores while it forwards. */
const planIpv6Forwarding = ({ advertisedUplinks }: HostFacts): KernelObject[] => [
  ...advertisedUplinks.map((link) => setSysctl(`net.ipv6.conf.${sysctlLink(link)}.accept_ra`, '2')),
  setSysctl('net.ipv6.conf.all.forwarding', '1'),
];

const setSysctl = (key: string, value: string): KernelObject => ({ kind: 'sysctl', key, value, keep: true });
