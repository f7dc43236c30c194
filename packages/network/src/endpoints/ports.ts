/** Published ports of one endpoint: reserves them, and flushes stale conntrack entries. */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { PortRequest, PublishedPort } from '../contract.ts';
import type { BridgeSettings } from '../model.ts';
import { allocationOrder, type PortRange } from '../ports/choose.ts';
import type { PortTable } from '../ports/table.ts';

/** Dependencies of `reservePorts`. */
export interface ReservePortsDependencies {
  readonly ports: PortTable;
  dynamicPorts: PortRange;
}

type Resolved = PortRequest & { hostAddress: string };

/**
 * Reserves the ports on the host of an endpoint of this bridge, and adds them to `reserved` in the order of the requests, for inspect. If this throws, the caller
 * releases the ports in `reserved`.
 */
export function reservePorts(
  context: ReservePortsDependencies,
  owner: { id: string; name: string; endpointId: string },
  bridge: Pick<BridgeSettings, 'hostBinding' | 'v4'>,
  reserved: PublishedPort[],
  resolve: (defaultHostAddress: string) => readonly Resolved[],
): void {
  try {
    const requests = resolve(bridge.hostBinding);
    if (bridge.v4?.gatewayMode === 'routed') {
      reserved.push(...requests.map(withoutHostPort));
      return;
    }
    const positions = new Map<PublishedPort, number>();
    for (const index of allocationOrder(requests)) {
      const request = requests[index];
      if (!request) continue;
      const port = context.ports.publish(request, owner.id, context.dynamicPorts);
      reserved.push(port);
      positions.set(port, index);
    }
    reserved.sort((a, b) => (positions.get(a) ?? 0) - (positions.get(b) ?? 0));
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    const where = `driver failed programming external connectivity on endpoint ${owner.name} (${owner.endpointId})`;
    throw new NetyardError(error.code, `${where}: ${error.message}`, { cause: error });
  }
}

const withoutHostPort = ({ protocol, containerPort, hostAddress }: Resolved): PublishedPort => ({
  ...{ protocol, containerPort, hostAddress, hostPort: 0 },
});

/** Deletes existing UDP conntrack entries, which would bypass the new DNAT for as long as packets arrive. */
export async function flushUdpConntrack(
  context: { readonly kernel: Kernel },
  ports: readonly PublishedPort[],
): Promise<void> {
  const ofUdp = ports.filter(({ protocol, hostPort }) => protocol === 'udp' && hostPort !== 0);
  if (ofUdp.length === 0) return;
  await context.kernel.flushConntrack(
    ofUdp.map(({ protocol, hostPort: port, hostAddress: address }) => ({ protocol, port, address })),
  );
}
