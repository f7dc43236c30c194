/** Published ports of one container: resolves and reserves them. */
import type { Kernel } from '@netyard/kernel';
import { driverOf, type ReservePortsDependencies, reservePorts, resolvePortRequests } from '@netyard/network';
import type { NetworkRecord, NetworkSettings, SandboxConfig, SandboxState } from '../contract.ts';
import { gatewayEndpoint } from '../plan/sandbox.ts';

/** Dependencies of the functions in this file. */
export interface PortsDependencies extends ReservePortsDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
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
  reservePorts(context, { id: config.containerId, name: config.name, endpointId: gateway.id }, state.ports, () =>
    resolvePortRequests(config.ports, config.exposed, config.publishAll, defaultHostAddress || '0.0.0.0'),
  );
}
