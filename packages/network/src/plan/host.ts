/** The plan of host-wide objects that all networks depend on: Netyard's tables and IP forwarding. Pure. */
import type { KernelObject } from '@netyard/kernel';
import { element, planTables } from '../firewall/table.ts';
import type { HostFacts } from '../model.ts';

/** The element of `ip_forward_enabled` that records who enabled forwarding. */
export const forwardingKey = '"ip_forward"';

/** Whether packets between interfaces that are not Netyard's are dropped. */
export const routesOnlyContainers = (facts: HostFacts): boolean =>
  facts.enabledForwarding && facts.dropsForeignForwarding;

/** Host-wide objects that all networks depend on. */
export function planHost(facts: HostFacts): KernelObject[] {
  const forward: KernelObject = { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1', keep: true };
  const { guarded, isolates, checksSources } = facts;
  const routesOnlyOwn = routesOnlyContainers(facts);
  return [
    // The drop rules precede the forwarding that they restrict.
    ...planTables({ marks: facts.bridgeNetfilter && isolates, routesOnlyOwn, checksSources, guarded }),
    ...(facts.enabledForwarding ? [element('ip_forward_enabled', forwardingKey, { comment: 'by the daemon' })] : []),
    ...(routesOnlyOwn ? facts.engineBridges.map(planEngineBridge) : []),
    ...(facts.ipForward ? [forward] : []),
  ];
}

const planEngineBridge = (link: string): KernelObject =>
  element('engine_bridges', `"${link}"`, { comment: 'of another engine' });
