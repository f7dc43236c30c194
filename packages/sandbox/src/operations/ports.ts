/** Published ports of one container: resolves, reserves and relays them. */
import type { Logger } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import {
  bridgeOf,
  driverOf,
  type Family,
  families,
  familyOfAddress,
  type PerFamily,
  perFamily,
  publishWays,
  type ReservePortsDependencies,
  relayPorts,
  reservePorts,
  resolvePortRequests,
} from '@netyard/network';
import type { EndpointState, NetworkRecord, NetworkSettings, SandboxConfig, SandboxState } from '../contract.ts';
import { gatewayEndpoint } from '../plan/sandbox.ts';

/** Dependencies of the functions in this file. */
export interface PortsDependencies extends ReservePortsDependencies {
  readonly kernel: Kernel;
  readonly logger: Logger;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  mtuLimit: number | undefined;
}

/** The endpoints through which ports are published: those that have the default routes, if their driver can. */
export const portEndpoints = (
  context: Pick<PortsDependencies, 'networks'>,
  endpoints: readonly EndpointState[],
): PerFamily<EndpointState> =>
  perFamily((family) => {
    const gateway = gatewayEndpoint(endpoints, family);
    const record = gateway && context.networks.get(gateway.networkId);
    return record && driverOf(record).capabilities.ports ? gateway : undefined;
  });

/**
 * Reserves the requested ports, of these address families, and adds them to `state.ports`; without a gateway endpoint
 * (none, host) nothing is published. If this throws, the caller releases the ports in `state.ports`.
 */
export function publishPorts(
  context: PortsDependencies,
  config: SandboxConfig,
  state: SandboxState,
  of: readonly Family[] = families,
): void {
  const gateways = portEndpoints(context, state.endpoints);
  const owner = gateways.v4 ?? gateways.v6;
  if (!owner) {
    logUnpublished(context, config, state);
    return;
  }
  const bridges = perFamily((family) => gateways[family] && bridgeOf(context, gateways[family].networkId));
  const ways = publishWays(bridges);
  reservePorts(
    context,
    { id: config.containerId, name: config.name, endpointId: owner.id },
    perFamily((family) => (of.includes(family) ? ways[family] : undefined)),
    state.ports,
    resolvePortRequests(config.ports, config.exposed, config.publishAll),
  );
}

/** The families whose ports are published, or would be, if the container has these endpoints. */
export function publishableFamilies(
  context: Pick<PortsDependencies, 'networks'>,
  endpoints: readonly EndpointState[],
): Family[] {
  const { v4, v6 } = portEndpoints(context, endpoints);
  // Without IPv6, ports on IPv6 addresses are relayed to the IPv4 address.
  return families.filter((family) => (family === 'v4' ? v4 : (v6 ?? v4)) !== undefined);
}

/** Publishes the ports of families that have none on the host, because their gateway is new. */
export function publishMissing(context: PortsDependencies, config: SandboxConfig, state: SandboxState): void {
  if (config.ports.length === 0 && !config.publishAll && state.ports.length === 0) return;
  const onHost = new Set(
    state.ports.filter(({ hostPort }) => hostPort !== 0).map(({ hostAddress }) => familyOfAddress(hostAddress)),
  );
  const missing = publishableFamilies(context, state.endpoints).filter((family) => !onHost.has(family));
  state.ports = state.ports.filter(({ hostAddress }) => !missing.includes(familyOfAddress(hostAddress)));
  publishPorts(context, config, state, missing);
}

/** Relays ports on IPv6 addresses as far as needed; again when the gateway has changed. */
export function relayPublished(
  context: Pick<PortsDependencies, 'ports' | 'networks'>,
  { containerId }: Pick<SandboxConfig, 'containerId'>,
  { ports, endpoints }: Pick<SandboxState, 'ports' | 'endpoints'>,
): void {
  const gateways = portEndpoints(context, endpoints);
  relayPorts(
    context,
    containerId,
    ports,
    perFamily((family) => gateways[family]?.addresses[family]?.address),
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
