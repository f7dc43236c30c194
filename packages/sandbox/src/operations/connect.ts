/** `network connect`: adds a requested endpoint, and the interface of a running container. */

import { type KeyedQueue, type Logger, NetyardError } from '@netyard/core';
import type { Kernel, KernelObject, NftElementObject } from '@netyard/kernel';
import {
  createSegments,
  driverOf,
  type EndpointDependencies,
  flushUdpConntrack,
  freeEndpoint,
  type NetworkPools,
  type PortTable,
  removeEmptySegments,
  type SegmentsDependencies,
  storeEndpoint,
  unstoreEndpoint,
  valuesOf,
  withCanonicalAddresses,
} from '@netyard/network';
import type {
  ContainerDirectory,
  EndpointConfig,
  EndpointState,
  NetworkRecord,
  NetworkStore,
  SandboxState,
} from '../contract.ts';
import type { LinkIndex } from '../links/index.ts';
import { capabilitiesOfNamed, networkOf, type Sandbox, sandboxOf, save } from '../lookup.ts';
import { planEndpoint, planSharedElements, type SandboxPlanInput } from '../plan/sandbox.ts';
import { planResolvConf } from './container-resolv-conf.ts';
import { allocateContainerEndpoint } from './endpoint.ts';
import { type EndpointEventsDependencies, emitEndpoint } from './endpoint-events.ts';
import { type LinkHostsFilesDependencies, refreshParents } from './link-hosts-files.ts';
import { addHostsLines } from './own-hosts-lines.ts';
import { type PortsDependencies, publishMissing, relayPublished } from './ports.ts';
import { checkEndpoint, type RegisterDependencies } from './register.ts';
import { type Prepared, planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';
import { reserveStatic, takeFromStopped } from './static-addresses.ts';

/** Dependencies of the functions in this file. */
export interface ConnectDependencies
  extends EndpointDependencies,
    EndpointEventsDependencies,
    LinkHostsFilesDependencies,
    PortsDependencies,
    RegisterDependencies,
    SandboxPlanDependencies,
    SegmentsDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  readonly pools: Map<string, NetworkPools>;
  readonly ports: PortTable;
  readonly queue: KeyedQueue;
  ownDeletion(): void;
}

export async function connect(
  context: ConnectDependencies,
  networkRef: string,
  containerId: string,
  requested: EndpointConfig,
): Promise<void> {
  await context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const record = checkConnect(context, sandbox, networkRef, requested);
    const endpoint = withCanonicalAddresses({ ...requested, network: record.name });
    const { state } = sandbox;
    if (state) await attach(context, sandbox, { config: sandbox.config, state }, endpoint);
    else addToConfig(context, sandbox, record, endpoint);
    if (state) emitEndpoint(context, 'connect', record.id, containerId);
  });
  await refreshParents(context, containerId);
}

/** Docker's checks, in Docker's order. Throws `invalid`, `forbidden` or `not-found`. */
export function checkConnect(
  context: ConnectDependencies,
  sandbox: Sandbox,
  networkRef: string,
  endpoint: EndpointConfig,
): NetworkRecord {
  const { config } = sandbox;
  checkNotRemoving(context, config.containerId);
  const reject = (message: string): never => {
    throw new NetyardError('invalid', message);
  };
  const shared =
    'container sharing network namespace with another container or host cannot be connected to any other network';
  if (config.mode.kind === 'container') reject(shared);
  const record = networkOf(context, networkRef);
  checkEndpoint(context, { ...endpoint, network: record.name });
  const { capabilities } = driverOf(record);
  if (capabilities.hostNamespace && config.mode.kind !== 'host')
    reject('cannot connect container to host network - container must be created in host network mode');
  for (const { network } of config.endpoints) {
    const other = capabilitiesOfNamed(context, network);
    if (network === record.name && sandbox.state === undefined) return record;
    if (network === record.name) {
      const message = `endpoint with name ${config.name} already exists in network ${record.name}`;
      throw new NetyardError('forbidden', message);
    }
    if (other?.hostNamespace || capabilities.hostNamespace) reject(shared);
    if (other?.otherNetworks === false || !capabilities.otherNetworks)
      reject('container cannot be connected to multiple networks with one of the networks in private (none) mode');
  }
  return record;
}

export function checkNotRemoving(context: ConnectDependencies, containerId: string): void {
  const state = context.containers.info(containerId)?.state;
  if (state === 'dead' || state === 'removing')
    throw new NetyardError(
      'failed',
      `Container ${containerId} is marked for removal and cannot be connected or disconnected to the network`,
    );
}

/** For a stopped container: stores the endpoint and reserves a static address. Repeating it has no effect, as in Docker. */
function addToConfig(
  context: ConnectDependencies,
  sandbox: Sandbox,
  record: NetworkRecord,
  endpoint: EndpointConfig,
): void {
  const { containerId, endpoints } = sandbox.config;
  if (endpoints.some((other) => other.network === record.name)) return;
  const reserved = reserveStatic(context, { containerId, endpoints: [endpoint] });
  sandbox.config = { ...sandbox.config, endpoints: [...endpoints, endpoint] };
  context.store.transaction(() => {
    save(context, sandbox);
    for (const { networkId, address } of reserved) context.store.putLease(networkId, address, containerId);
  });
}

async function attach(
  context: ConnectDependencies,
  sandbox: Sandbox,
  before: Prepared,
  requested: EndpointConfig,
): Promise<void> {
  const { containerId } = before.config;
  const after = allocateAttached(context, before, requested);
  try {
    const resolvConf = planResolvConf(context, after);
    sandbox.config = after.config;
    sandbox.state = after.state;
    context.store.transaction(() => {
      save(context, sandbox);
      storeEndpoint(context, containerId, after.endpoint);
    });
    const input = planInput(context, after, { files: false });
    // With many endpoints these are long lists: they are planned once.
    const [former, next] = [planSharedElements({ ...input, ...before }), planSharedElements(input)];
    const objects = planAttach(input, after.endpoint, changedElements(next, former));
    await createSegments(context, [after.endpoint]);
    context.ownDeletion();
    const plan = { owner: `container ${before.config.name}`, objects: [...objects, ...resolvConf.objects] };
    await context.kernel.apply(plan, { newLinks: [after.endpoint.hostLink] });
    noteResolvConf(context, sandbox, after, resolvConf.state);
    await deleteOldGateway(context, before, { former, next });
  } catch (error) {
    sandbox.config = before.config;
    sandbox.state = before.state;
    release(context, before, after);
    context.store.transaction(() => {
      save(context, sandbox);
      unstoreEndpoint(context, after.endpoint);
      for (const address of valuesOf(requested.addresses)) context.store.deleteLease(after.endpoint.networkId, address);
    });
    await removeEmptySegments(context, [after.endpoint]);
    throw error;
  }
  await flushUdpConntrack(context, newPorts(before, after));
  relayPublished(context, after.config, after.state);
  await addHostsLines(context, after, after.endpoint);
}

/** After the file was written: a daemon that is killed before writes it at its next start (`finishResolvConf`). */
function noteResolvConf(context: ConnectDependencies, sandbox: Sandbox, after: Attached, state: SandboxState): void {
  if (state === after.state) return;
  after.state = state;
  sandbox.state = state;
  save(context, sandbox);
}

/** Port map keys stay when the gateway moves, but other elements of the old gateway's address are stale. */
async function deleteOldGateway(
  context: ConnectDependencies,
  before: Prepared,
  { former, next }: Record<'former' | 'next', readonly NftElementObject[]>,
): Promise<void> {
  const kept = new Set(next.map(idOf));
  const objects = former.filter((one) => !kept.has(idOf(one)));
  if (objects.length === 0) return;
  context.ownDeletion();
  await context.kernel.remove({ owner: `container ${before.config.name}`, objects });
}

type Attached = Prepared & { endpoint: EndpointState };

/** Allocates address, interface name and (when this endpoint becomes the gateway) ports; releases all on failure. */
export function allocateAttached(context: ConnectDependencies, before: Prepared, requested: EndpointConfig): Attached {
  takeFromStopped(context, { containerId: before.config.containerId, endpoints: [requested] });
  const endpoint = allocateContainerEndpoint(context, before.config, requested, before.state.endpoints);
  const after: Attached = {
    config: { ...before.config, endpoints: [...before.config.endpoints, requested] },
    state: { ...before.state, endpoints: [...before.state.endpoints, endpoint], ports: [...before.state.ports] },
    endpoint,
  };
  try {
    publishMissing(context, after.config, after.state);
    return after;
  } catch (error) {
    release(context, before, after);
    throw error;
  }
}

/** Ports of `after` that `before` lacks. */
export const newPorts = (before: Prepared, after: Prepared): Prepared['state']['ports'] =>
  after.state.ports.filter((port) => !before.state.ports.includes(port));

export function release(context: ConnectDependencies, before: Prepared, after: Attached): void {
  const { containerId } = before.config;
  for (const port of newPorts(before, after)) context.ports.release(port, containerId);
  freeEndpoint(context, containerId, after.endpoint);
  const { config, networkId } = after.endpoint;
  for (const address of valuesOf(config.addresses)) context.pools.get(networkId)?.free(address, containerId);
}

const idOf = ({ family, set, key }: NftElementObject): string => `${family} ${set} ${key}`;

const textOf = (element: NftElementObject): string => `${idOf(element)} ${element.value ?? ''}`;

/** The elements of `from` that are not in `others` with the same value. */
export function changedElements(
  from: readonly NftElementObject[],
  others: readonly NftElementObject[],
): NftElementObject[] {
  const same = new Set(others.map(textOf));
  return from.filter((element) => !same.has(textOf(element)));
}

/** Plans the new endpoint, with ports, and with links only if it is the first endpoint that can have them. */
export function planAttach(
  input: SandboxPlanInput,
  endpoint: EndpointState,
  changed: readonly NftElementObject[],
): KernelObject[] {
  const objects = planEndpoint(input, endpoint);
  if (objects.length === 0) return [];
  // A higher priority moves the default route. The port map keys stay; their values change to the new address.
  return [...objects, ...changed, ...input.linkAllowRules];
}
