/**
 * Addresses of running containers in a family that their network has lost: IPv6 of the default bridge, after a restart of
 * the daemon without `--ipv6`. The containers keep their other addresses, and run on.
 */
import { identityOf, type Kernel } from '@netyard/kernel';
import { families, type NetworkPools, perFamily, valuesOf } from '@netyard/network';
import type { EndpointState, NetworkStore } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { planSandbox } from '../plan/sandbox.ts';
import type { LinkHostsFilesDependencies } from './link-hosts-files.ts';
import { removeHostsLines } from './own-hosts-lines.ts';
import { planInput } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface LostAddressesDependencies extends LinkHostsFilesDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly pools: Map<string, NetworkPools>;
  ownDeletion(): void;
}

/** Call before the container is repaired. */
export async function dropLostAddresses(context: LostAddressesDependencies, sandbox: Sandbox): Promise<void> {
  const { config, state } = sandbox;
  if (!state) return;
  const lost = state.endpoints.map((endpoint) => lostPart(context, endpoint)).filter((part) => part !== undefined);
  if (lost.length === 0) return;
  const before = { config, state };
  const after = { config, state: { ...state, endpoints: state.endpoints.map((one) => keptPart(context, one)) } };
  const kept = new Set(planSandbox(planInput(context, after, { files: false })).map(identityOf));
  const objects = planSandbox(planInput(context, before, { files: false })).filter(
    (object) => object.kind !== 'sysctl' && !kept.has(identityOf(object)),
  );
  context.ownDeletion();
  await context.kernel.remove({ owner: `container ${config.name}`, objects });
  sandbox.state = after.state;
  context.store.transaction(() => {
    for (const { networkId, addresses } of lost)
      for (const { address } of valuesOf(addresses)) context.store.deleteLease(networkId, address);
    context.store.putSandbox(config, after.state);
  });
  for (const endpoint of lost) await removeHostsLines(context, before, endpoint);
}

const isLost = ({ pools }: LostAddressesDependencies, networkId: string, address: string | undefined): boolean =>
  address !== undefined && pools.has(networkId) && pools.get(networkId)?.poolOf(address) === undefined;

/** The endpoint with its lost addresses only; undefined if it has none. */
function lostPart(context: LostAddressesDependencies, endpoint: EndpointState): EndpointState | undefined {
  const { networkId, addresses } = endpoint;
  const lost = perFamily((family) =>
    isLost(context, networkId, addresses[family]?.address) ? addresses[family] : undefined,
  );
  return families.some((family) => lost[family] !== undefined) ? { ...endpoint, addresses: lost } : undefined;
}

function keptPart(context: LostAddressesDependencies, endpoint: EndpointState): EndpointState {
  const { networkId, addresses } = endpoint;
  return {
    ...endpoint,
    addresses: perFamily((family) =>
      isLost(context, networkId, addresses[family]?.address) ? undefined : addresses[family],
    ),
  };
}
