/** Published ports of one container: resolves and reserves them. */
import type { Logger } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import { bridgeOf, driverOf, type ReservePortsDependencies, reservePorts, resolvePortRequests } from '@netyard/network';
import type { NetworkRecord, NetworkSettings, SandboxConfig, SandboxState } from '../contract.ts';
import { gatewayEndpoint } from '../plan/sandbox.ts';

/** Dependencies of the functions in this file. */
export interface PortsDependencies extends ReservePortsDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  mtuLimit: number | undefined;
}

/**
 * Reserves the requested ports on the IPv4 gateway endpoint; without one (none, host) nothing is published. If this throws,
 * the caller releases the ports in `state.ports`.
 */
export function publishPorts(context: PortsDependencies, config: SandboxConfig, state: SandboxState): void {
  const gateway = gatewayEndpoint(state.endpoints, 'v4');
  const record = gateway && context.networks.get(gateway.networkId);
  const bridge = record && bridgeOf(context, record.id);
  if (!bridge || !driverOf(record).capabilities.ports) {
    logUnpublished(context, config, state);
    return;
  }
  const owner = { id: config.containerId, name: config.name, endpointId: gateway.id };
  reservePorts(context, owner, bridge, state.ports, (defaultHostAddress) =>
    resolvePortRequests(config.ports, config.exposed, config.publishAll, defaultHostAddress),
  );
}

/** As in Docker, the container starts nevertheless. */
function logUnpublished(context: PortsDependencies, { name, ports }: SandboxConfig, { endpoints }: SandboxState): void {
  if (ports.length === 0) return;
  for (const { link, networkId } of endpoints) {
    const record = context.networks.get(networkId);
    if (link === '' || !record || driverOf(record).capabilities.ports) continue;
    const detail = { container: name, network: record.name, driver: record.driver };
    context.logger.warn('ports are not published: the driver of the network cannot publish ports', detail);
  }
}
