/**
 * Ports of an existing container: published and unpublished while it runs, or from its next start on. Like those of its
 * creation, they are part of its config.
 */
import { NetyardError } from '@netyard/core';
import type { NftElementObject } from '@netyard/kernel';
import {
  checkPortRequest,
  driverOf,
  families,
  type PortOwner,
  PortTable,
  type PublishWay,
  publishPortsOf,
  reservePorts,
  unreserved,
  withdrawPortsOf,
} from '@netyard/network';
import type { AddedPorts, NetworkRecord, PortRequest, PortSelector, PublishedPort } from '../contract.ts';
import { networkOf, type Sandbox, sandboxOf, save } from '../lookup.ts';
import { selectPorts } from '../plan/port-selection.ts';
import { gatewayEndpoint, planSharedElements } from '../plan/sandbox.ts';
import { type ConnectDependencies, checkNotRemoving } from './connect.ts';
import { publishPorts, relayPublished } from './ports.ts';
import { portWarnings } from './register.ts';
import { type Prepared, planInput } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export type PortChangesDependencies = ConnectDependencies;

export async function addPorts(
  context: PortChangesDependencies,
  containerId: string,
  requests: readonly PortRequest[],
): Promise<AddedPorts> {
  return withSandbox(context, containerId, async (sandbox) => {
    for (const request of requests) checkPortRequest(request);
    checkNetworks(context, sandbox);
    const { config, state } = sandbox;
    const after = { ...config, ports: [...config.ports, ...requests] };
    const published = state ? await publish(context, sandbox, { config, state }, after) : [];
    if (!state) {
      checkTogether(context, after);
      sandbox.config = after;
      save(context, sandbox);
    }
    return { published, warnings: portWarnings(context, { ...after, ports: [...requests], publishAll: false }) };
  });
}

/** Runs `change` while no other operation changes the container. Throws for one that is being removed. */
function withSandbox<T>(
  context: PortChangesDependencies,
  containerId: string,
  change: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  return context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    checkNotRemoving(context, containerId);
    return await change(sandbox);
  });
}

/** Throws for a container none of whose networks can publish ports: the request would have no effect. */
function checkNetworks(context: PortChangesDependencies, { config, state }: Sandbox): void {
  const { mode, name, endpoints } = config;
  if (mode.kind === 'container')
    throw new NetyardError('invalid', 'conflicting options: port publishing and the container type network mode', {
      hint: `publish ports of container ${mode.ref.slice(0, 12)}, whose network this one shares`,
    });
  if (mode.kind === 'host')
    throw new NetyardError('invalid', 'conflicting options: port publishing and the host network mode', {
      hint: `container ${name} uses the network of the host, where its ports are open already`,
    });
  const gateways = state ? families.flatMap((family) => gatewayEndpoint(state.endpoints, family) ?? []) : [];
  const networks = state ? gateways.map(({ networkId }) => networkId) : endpoints.map(({ network }) => network);
  const records = networks.flatMap((ref) => findNetwork(context, ref) ?? []);
  if (records.some((record) => driverOf(record).capabilities.ports && !record.internal)) return;
  const where = records.map((record) => record.name).join(', ') || endpoints.map(({ network }) => network).join(', ');
  throw new NetyardError('forbidden', `ports of container ${name} cannot be published on network ${where}`, {
    hint: `connect the container to a bridge network that is not internal: \`netyard network connect NETWORK ${name}\``,
  });
}

/** Throws what the start would throw for ports of the same container that conflict with each other. */
function checkTogether({ settings, dynamicPorts, facts }: PortChangesDependencies, config: Sandbox['config']): void {
  const { containerId: id, name, ports } = config;
  const way: PublishWay = { kind: 'nat', defaultHostAddress: settings.defaultHostAddress || '0.0.0.0' };
  const context = { ports: new PortTable(unreserved), dynamicPorts, facts };
  reservePorts(context, { id, name, endpointId: id }, { v4: way, v6: way }, [], ports);
}

/** A stopped container's network may be gone: its start reports that. */
function findNetwork(context: PortChangesDependencies, ref: string): NetworkRecord | undefined {
  try {
    return networkOf(context, ref);
  } catch {
    return undefined;
  }
}

async function publish(
  context: PortChangesDependencies,
  sandbox: Sandbox,
  before: Prepared,
  config: Sandbox['config'],
): Promise<PublishedPort[]> {
  const { state } = before;
  // The ports so far are reserved already.
  const own = { ...config, ports: config.ports.slice(before.config.ports.length), publishAll: false };
  return publishPortsOf(context, ownerOf(context, sandbox), before, {
    reserve: (added) => publishPorts(context, own, { ...state, ports: added }),
    recordWith: (added) => ({ config, state: { ...state, ports: [...state.ports, ...added] } }),
    relay: (added) => relayPublished(context, config, { ...state, ports: [...added] }),
  });
}

export async function removePorts(
  context: PortChangesDependencies,
  containerId: string,
  selectors: readonly PortSelector[],
): Promise<void> {
  await withSandbox(context, containerId, async (sandbox) => {
    const { config, state } = sandbox;
    const selected = selectPorts(config, state?.ports ?? [], selectors);
    const after = { ...config, ports: config.ports.filter((request) => !selected.requests.includes(request)) };
    if (!state) {
      sandbox.config = after;
      save(context, sandbox);
      return;
    }
    const { published: removed } = selected;
    const ports = state.ports.filter((port) => !removed.includes(port));
    const next = { config: after, state: { ...state, ports } };
    await withdrawPortsOf(context, ownerOf(context, sandbox), { config, state }, next, removed);
  });
}

const ownerOf = (context: PortChangesDependencies, sandbox: Sandbox): PortOwner<Prepared> => ({
  id: sandbox.config.containerId,
  name: `container ${sandbox.config.name}`,
  save(prepared) {
    Object.assign(sandbox, prepared);
    save(context, sandbox);
  },
  elementsOf: (prepared) => elementsOf(context, prepared),
});

/** Of published ports, and of links to the container, which allow its ports. `sandbox` holds when this is called. */
function elementsOf(context: PortChangesDependencies, sandbox: Prepared): NftElementObject[] {
  const input = planInput(context, sandbox, { files: false });
  return [...planSharedElements(input), ...input.linkAllowRules];
}
