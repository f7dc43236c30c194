/** Published ports of one container: reserves them, and flushes stale conntrack entries. */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { NetworkRecord, NetworkSettings, PublishedPort, SandboxConfig, SandboxState } from '../contract.ts';
import { driverOf } from '../drivers/index.ts';
import { gatewayEndpoint } from '../plan/sandbox.ts';
import { allocationOrder, type PortRange, resolvePortRequests } from '../ports/choose.ts';
import type { PortTable } from '../ports/table.ts';

/** Dependencies of the functions in this file. */
export interface PortsDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly ports: PortTable;
  dynamicPorts: PortRange;
}

/**
 * Reserves the requested ports on the gateway endpoint; without one (none, host) nothing is published. If this throws,
 * the caller releases the ports in `state.ports`.
 */
export function publishPorts(context: PortsDependencies, config: SandboxConfig, state: SandboxState): void {
  const gateway = gatewayEndpoint(state.endpoints);
  const record = gateway && context.networks.get(gateway.networkId);
  if (!record || !driverOf(record).capabilities.ports) return;
  const { defaultHostAddress } = context.settings;
  try {
    const requests = resolvePortRequests(
      config.ports,
      config.exposed,
      config.publishAll,
      defaultHostAddress || '0.0.0.0',
    );
    const positions = new Map<PublishedPort, number>();
    for (const index of allocationOrder(requests)) {
      const request = requests[index];
      if (!request) continue;
      const port = context.ports.publish(request, config.containerId, context.dynamicPorts);
      state.ports.push(port);
      positions.set(port, index);
    }
    state.ports.sort((a, b) => (positions.get(a) ?? 0) - (positions.get(b) ?? 0)); // in request order, for inspect
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    const where = `driver failed programming external connectivity on endpoint ${config.name} (${gateway.id})`;
    throw new NetyardError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}

/** Deletes existing UDP conntrack entries, which would bypass the new DNAT for as long as packets arrive. */
export async function flushUdpConntrack(context: PortsDependencies, ports: readonly PublishedPort[]): Promise<void> {
  const ofUdp = ports.filter(({ protocol }) => protocol === 'udp');
  if (ofUdp.length === 0) return;
  await context.kernel.flushConntrack(
    ofUdp.map(({ protocol, hostPort: port, hostAddress: address }) => ({ protocol, port, address })),
  );
}
