/**
 * Ports of an existing container: published and unpublished while it runs, or from its next start on. Like those of its
 * creation, they are part of its config.
 */
import { NetyardError } from '@netyard/core';
import type { KernelObject, NftElementObject } from '@netyard/kernel';
import {
  checkPortRequest,
  driverOf,
  families,
  flushUdpConntrack,
  PortTable,
  type PublishWay,
  reservePorts,
  unreserved,
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
  const added: PublishedPort[] = [];
  try {
    // The ports so far are reserved already.
    const own = { ...config, ports: config.ports.slice(before.config.ports.length), publishAll: false };
    publishPorts(context, own, { ...before.state, ports: added });
    await apply(context, sandbox, before, {
      config,
      state: { ...before.state, ports: [...before.state.ports, ...added] },
    });
  } catch (error) {
    for (const port of added) context.ports.release(port, config.containerId);
    throw error;
  }
  await flushUdpConntrack(context, added);
  relayPublished(context, config, { ...before.state, ports: added });
  return added;
}

/** Stores and creates what `after` has in addition. On failure, `before` holds again. */
async function apply(
  context: PortChangesDependencies,
  sandbox: Sandbox,
  before: Prepared,
  after: Prepared,
): Promise<void> {
  const former = elementsOf(context, before);
  Object.assign(sandbox, after);
  try {
    save(context, sandbox);
    const objects = missingIn(former, elementsOf(context, after));
    await context.kernel.apply({ owner: `container ${after.config.name}`, objects });
  } catch (error) {
    Object.assign(sandbox, before);
    save(context, sandbox);
    throw error;
  }
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
    const ports = state.ports.filter((port) => !selected.published.includes(port));
    await unpublish(context, sandbox, { config, state }, { config: after, state: { ...state, ports } });
  });
}

/** Connections through a removed port stay open, except those of UDP. */
async function unpublish(
  context: PortChangesDependencies,
  sandbox: Sandbox,
  before: Prepared,
  after: Prepared,
): Promise<void> {
  const former = elementsOf(context, before);
  Object.assign(sandbox, after);
  save(context, sandbox);
  const objects = missingIn(elementsOf(context, after), former);
  context.ownDeletion();
  await context.kernel.remove({ owner: `container ${after.config.name}`, objects });
  const removed = before.state.ports.filter((port) => !after.state.ports.includes(port));
  for (const port of removed) context.ports.release(port, after.config.containerId);
  await flushUdpConntrack(context, removed);
}

/** Of published ports, and of links to the container, which allow its ports. `sandbox` holds when this is called. */
function elementsOf(context: PortChangesDependencies, sandbox: Prepared): NftElementObject[] {
  const input = planInput(context, sandbox, { files: false });
  return [...planSharedElements(input), ...input.linkAllowRules];
}

const keyOf = ({ family, set, key }: NftElementObject): string => `${family} ${set} ${key}`;

function missingIn(some: readonly NftElementObject[], all: readonly NftElementObject[]): KernelObject[] {
  const present = new Set(some.map(keyOf));
  return all.filter((element) => !present.has(keyOf(element)));
}
