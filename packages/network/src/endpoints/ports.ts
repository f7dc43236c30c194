/** Published ports of one endpoint: reserves them, and flushes stale conntrack entries. */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Kernel, RelayTarget } from '@netyard/kernel';
import type { NetworkRecord, PortRequest, PublishedPort } from '../contract.ts';
import { familyOfAddress, type PerFamily } from '../family.ts';
import type { HostFacts } from '../model.ts';
import { anyAddress, type Binding, compareBindings, groupBindings, type PublishWay } from '../ports/bindings.ts';
import { allocationOrder, type PortRange } from '../ports/choose.ts';
import type { PortTable } from '../ports/table.ts';

/** Dependencies of `reservePorts`. */
export interface ReservePortsDependencies {
  readonly ports: PortTable;
  dynamicPorts: PortRange;
  facts: HostFacts;
}

/**
 * Reserves the ports on the host, and adds them to `reserved` in Docker's order. If this throws, the caller releases the
 * ports in `reserved`.
 */
export function reservePorts(
  context: ReservePortsDependencies,
  owner: { id: string; name: string; endpointId: string },
  ways: PerFamily<PublishWay>,
  reserved: PublishedPort[],
  requests: readonly PortRequest[],
): void {
  const added: [PublishedPort, Binding][] = [];
  try {
    const groups = groupBindings(requests, ways, context.facts.ipv6Addresses);
    for (const binding of groups.flat()) if (binding.kind === 'routed') added.push([withoutHostPort(binding), binding]);
    const onHost = groups
      .map((group) => group.filter(({ kind }) => kind !== 'routed'))
      .filter(({ length }) => length > 0);
    for (const index of allocationOrder(onHost.flatMap(([first]) => first ?? []))) {
      const group = onHost[index] ?? [];
      const ports = context.ports.publish(group, owner.id, context.dynamicPorts);
      for (const [position, binding] of group.entries()) {
        const port = ports[position];
        if (port) added.push([port, binding]);
      }
    }
  } catch (error) {
    if (!isNetyardError(error)) throw error;
    const where = `driver failed programming external connectivity on endpoint ${owner.name} (${owner.endpointId})`;
    throw new NetyardError(error.code, `${where}: ${error.message}`, { cause: error });
  } finally {
    added.sort(([, a], [, b]) => compareBindings(a, b));
    reserved.push(...added.map(([port]) => port));
  }
}

const withoutHostPort = ({ protocol, containerPort, hostAddress }: Binding): PublishedPort => ({
  ...{ protocol, containerPort, hostAddress, hostPort: 0 },
});

export interface RelayDependencies {
  readonly networks: ReadonlyMap<string, NetworkRecord>;
}

/**
 * Relays ports on IPv6 addresses to the container: what no rule translates, such as connections of the host to ::1, and
 * everything if the container has no IPv6 address. Called when the container is reachable.
 * @param addresses of the endpoint that is the gateway of each family
 */
export function relayPorts(
  { ports: table, networks }: Pick<ReservePortsDependencies, 'ports'> & RelayDependencies,
  ownerId: string,
  ports: readonly PublishedPort[],
  addresses: PerFamily<string>,
): void {
  const address = addresses.v6 ?? addresses.v4;
  if (address === undefined) return;
  for (const port of ports)
    if (familyOfAddress(port.hostAddress) === 'v6' && port.hostPort !== 0 && port.protocol !== 'sctp')
      table.relay(port, ownerId, { address, port: port.containerPort, ...clientsOf(networks, port) });
}

/** A port at a bridge's own address is for the containers of its network. */
function clientsOf(
  networks: ReadonlyMap<string, NetworkRecord>,
  { hostAddress }: PublishedPort,
): Pick<RelayTarget, 'clients'> {
  if (hostAddress === anyAddress.v6 || hostAddress === '::1') return {};
  const pools = [...networks.values()].flatMap(({ ipam }) => ipam.v6 ?? []);
  const own = pools.find(({ gateway }) => gateway === hostAddress);
  return own ? { clients: own.subnet } : {};
}

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
