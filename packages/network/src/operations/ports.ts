/** Published ports of one container: taking them, and forgetting what went the old way. */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { NetworkSettings, PublishedPort, SandboxConfig, SandboxState } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { gatewayEndpoint } from '../plan/sandbox.ts';
import type { PortRange } from '../ports/choose.ts';
import { allocationOrder, wantedPorts } from '../ports/choose.ts';
import type { PortTable } from '../ports/table.ts';

/** What the functions of this file work on. */
export interface PortsDependencies {
  readonly kernel: Kernel;
  readonly settings: NetworkSettings;
  readonly sandboxes: Map<string, Sandbox>;
  readonly ports: PortTable;
  dynamicPorts: PortRange;
}

/**
 * Reserves what is asked for on the endpoint that leads outside; without one (none, host) nothing is published. What is
 * in `state.ports` when this throws is for the caller to release.
 */
export function publishPorts(context: PortsDependencies, config: SandboxConfig, state: SandboxState): void {
  const gateway = gatewayEndpoint(state.endpoints);
  if (!gateway) return;
  const { defaultHostAddress } = context.settings;
  try {
    const requests = wantedPorts(config.ports, config.exposed, config.publishAll, defaultHostAddress || '0.0.0.0');
    const places = new Map<PublishedPort, number>();
    for (const index of allocationOrder(requests)) {
      const request = requests[index];
      if (!request) continue;
      const port = context.ports.publish(request, config.containerId, context.dynamicPorts);
      state.ports.push(port);
      places.set(port, index);
    }
    state.ports.sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0)); // as requested, for inspect
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    const where = `driver failed programming external connectivity on endpoint ${config.name} (${gateway.id})`;
    throw new NetyardError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}

/** Old UDP "connections" would keep going the old way for as long as packets come. */
export async function flushUdpConntrack(context: PortsDependencies, ports: readonly PublishedPort[]): Promise<void> {
  const ofUdp = ports.filter(({ protocol }) => protocol === 'udp');
  if (ofUdp.length === 0) return;
  await context.kernel.forgetConnections(
    ofUdp.map(({ protocol, hostPort: port, hostAddress: address }) => ({ protocol, port, address })),
  );
}

/**
 * What came for a published UDP port while a table was missing would stay with the host for as long as packets come.
 * Only at addresses of the host: others are sent to the same port numbers elsewhere.
 */
export async function forgetUntranslated(context: PortsDependencies): Promise<void> {
  const ports = [...context.sandboxes.values()].flatMap(({ state }) => state?.ports ?? []);
  const ofUdp = ports.filter(({ protocol }) => protocol === 'udp');
  if (ofUdp.length === 0) return;
  const prefixes = (await context.kernel.listAddresses()).map(({ prefix }) => prefix);
  const own = prefixes.filter((prefix) => !prefix.includes(':')).map((prefix) => prefix.replace(/\/.*$/, ''));
  const matches = ofUdp.flatMap(({ protocol, hostPort: port, hostAddress }) =>
    (hostAddress === '0.0.0.0' ? own : [hostAddress]).map((address) => ({ protocol, port, address })),
  );
  await context.kernel.forgetConnections(matches, { untranslated: true });
}
