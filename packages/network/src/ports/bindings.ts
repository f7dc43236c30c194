/**
 * Resolves requests for ports into the host addresses at which they are published: 0.0.0.0 and [::] with one port number
 * where a request names none (moby daemon/libnetwork/drivers/bridge/port_mapping_linux.go). Pure.
 */
import { formatIp, ipToBytes, parseIp } from '@netyard/core';
import type { PortRequest } from '../contract.ts';
import { type Family, families, familyOfAddress, type PerFamily } from '../family.ts';
import type { BridgeSettings } from '../model.ts';
import { hasFixedPort } from './choose.ts';

export const anyAddress: Readonly<Record<Family, string>> = { v4: '0.0.0.0', v6: '::' };

/** How ports are published over one address family. */
export interface PublishWay {
  /**
   * `nat`: at addresses of the host; `routed`: at the container's own address; `relay`: at addresses of the host, for
   * containers that do not have this family.
   */
  kind: 'nat' | 'routed' | 'relay';
  /** For requests without a host address. */
  defaultHostAddress: string;
}

/** A request for one host address. */
export interface Binding extends PortRequest {
  hostAddress: string;
  kind: PublishWay['kind'];
}

/** Bindings that get the same port. */
export type BindingGroup = readonly Binding[];

/**
 * The ways of a container or endpoint whose gateway of each family is on one of these bridges. Without IPv6, ports on
 * IPv6 addresses are relayed to its IPv4 address, unless that is routed: such networks use no ports of the host.
 */
export function publishWays({ v4, v6 }: PerFamily<BridgeSettings>): PerFamily<PublishWay> {
  const ways: PerFamily<PublishWay> = {};
  if (v4) ways.v4 = { kind: kindOf(v4, 'v4'), defaultHostAddress: v4.hostBinding };
  if (v6) ways.v6 = { kind: kindOf(v6, 'v6'), defaultHostAddress: v6.hostBinding };
  else if (ways.v4?.kind === 'nat') ways.v6 = { ...ways.v4, kind: 'relay' };
  return ways;
}

const kindOf = (bridge: BridgeSettings, family: Family): PublishWay['kind'] =>
  bridge[family]?.gatewayMode === 'routed' ? 'routed' : 'nat';

/**
 * @param hasIpv6 the host has IPv6 addresses; if not, a request without an address is for IPv4 only, as in Docker
 */
export function groupBindings(
  requests: readonly PortRequest[],
  ways: PerFamily<PublishWay>,
  hasIpv6: boolean,
): BindingGroup[] {
  const groups = new Map<string, SimilarGroups>();
  for (const request of requests) {
    const bindings = families.flatMap((family) => bindingOf(request, family, ways[family], hasIpv6) ?? []);
    if (bindings.length === 0) continue;
    const key = `${request.containerPort}/${request.protocol} ${request.hostPort ?? 0} ${request.hostPortEnd ?? 0}`;
    const similar = groups.get(key) ?? new SimilarGroups();
    groups.set(key, similar);
    similar.add(bindings);
  }
  return [...groups.values()].flatMap((similar) => similar.all);
}

/** Groups of one port. A client may send any number of requests: those with equal addresses continue where the last one fitted. */
class SimilarGroups {
  readonly all: Binding[][] = [];
  /** What each group has: its addresses, and their families. */
  readonly #taken: Set<string>[] = [];
  /** By the addresses of a request; groups before it only get fuller. */
  readonly #next = new Map<string, number>();

  /** Adds them to the first group in which none of them overlaps with another. */
  add(bindings: readonly Binding[]): void {
    const addresses = bindings.map(({ hostAddress }) => hostAddress);
    const id = addresses.join();
    let index = this.#next.get(id) ?? 0;
    while (addresses.some((address) => this.#overlaps(index, address))) index += 1;
    this.#next.set(id, index);
    const [group, taken] = [this.all[index] ?? [], this.#taken[index] ?? new Set<string>()];
    this.all[index] = group;
    this.#taken[index] = taken;
    group.push(...bindings);
    for (const address of addresses) taken.add(address).add(familyOfAddress(address));
  }

  #overlaps(index: number, address: string): boolean {
    const taken = this.#taken[index];
    const family = familyOfAddress(address);
    const any = anyAddress[family];
    return taken !== undefined && (taken.has(address) || taken.has(any) || (address === any && taken.has(family)));
  }
}

function bindingOf(
  request: PortRequest,
  family: Family,
  way: PublishWay | undefined,
  hasIpv6: boolean,
): Binding | undefined {
  if (!way || (way.kind === 'relay' && request.protocol === 'sctp')) return undefined;
  const address = hostAddressOf(request, family, way, hasIpv6);
  if (address === undefined) return undefined;
  const hostAddress = way.kind === 'routed' ? anyAddress[family] : formatIp(parseIp(address));
  return { ...request, hostAddress, kind: way.kind };
}

/** Undefined when the request is not for this family. */
function hostAddressOf(
  { hostAddress = '' }: PortRequest,
  family: Family,
  { defaultHostAddress }: PublishWay,
  hasIpv6: boolean,
): string | undefined {
  const address = hostAddress === '' ? defaultHostAddress : hostAddress;
  if (familyOfAddress(address) === family) return address;
  const isAny = hostAddress === '' && address === anyAddress.v4;
  return isAny && family === 'v6' && hasIpv6 ? anyAddress.v6 : undefined;
}

/** The order in which Docker publishes and shows ports. */
export function compareBindings(a: Binding, b: Binding): number {
  const isRouted = (binding: Binding): number => Number(binding.kind === 'routed');
  return (
    isRouted(a) - isRouted(b) ||
    Number(hasFixedPort(b)) - Number(hasFixedPort(a)) ||
    a.containerPort - b.containerPort ||
    protocols.indexOf(a.protocol) - protocols.indexOf(b.protocol) ||
    (a.hostPort ?? 0) - (b.hostPort ?? 0) ||
    (a.hostPortEnd ?? a.hostPort ?? 0) - (b.hostPortEnd ?? b.hostPort ?? 0) ||
    compareAddresses(a.hostAddress, b.hostAddress)
  );
}

const protocols: readonly PortRequest['protocol'][] = ['tcp', 'udp', 'sctp'];

function compareAddresses(a: string, b: string): number {
  const [one, other] = [parseIp(a), parseIp(b)];
  return one.family - other.family || Buffer.compare(ipToBytes(one), ipToBytes(other));
}
