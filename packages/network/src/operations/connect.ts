/** `network connect` and `disconnect`: the list of wanted endpoints, and for a running container its links as well. */

import type { KeyedQueue, Logger } from '@netyard/core';
import { messageOf, NetyardError } from '@netyard/core';
import type { Kernel, KernelObject } from '@netyard/kernel';
import type {
  ContainerDirectory,
  EndpointConfig,
  EndpointState,
  NetworkRecord,
  NetworkStore,
  SandboxConfig,
} from '../contract.ts';
import { appendLines, ownNames, removeOwnLines, updateLinkLines } from '../files/hosts.ts';
import type { AddressPool } from '../ipam/pool.ts';
import type { LinkIndex } from '../links/index.ts';
import { networkOf, type Sandbox, sandboxOf, save } from '../lookup.ts';
import { planEndpoint } from '../plan/endpoint.ts';
import {
  endpointInput,
  gatewayEndpoint,
  planEndpointRemoval,
  planGatewayChange,
  planPorts,
  type SandboxPlanInput,
} from '../plan/sandbox.ts';
import type { PortTable } from '../ports/table.ts';
import type { EndpointDependencies } from './endpoint.ts';
import { allocateEndpoint, freeEndpoint, storeEndpoint, unstoreEndpoint } from './endpoint.ts';
import type { NotifyDependencies } from './endpoint-events.ts';
import { emitEndpoint } from './endpoint-events.ts';
import type { ParentsDependencies } from './link-hosts-files.ts';
import { editHosts, refreshParents } from './link-hosts-files.ts';
import type { PortsDependencies } from './ports.ts';
import { flushUdpConntrack, publishPorts } from './ports.ts';
import type { RegisterDependencies } from './register.ts';
import { checkEndpoint } from './register.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { hostnameOf, linkAllowRulesOf, linkEntries, ownEntries, type Prepared, planInput } from './sandbox-plan.ts';

/** What the functions of this file work on. */
export interface ConnectDependencies
  extends EndpointDependencies,
    NotifyDependencies,
    ParentsDependencies,
    PortsDependencies,
    RegisterDependencies,
    SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly logger: Logger;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  readonly pools: Map<string, AddressPool>;
  readonly ports: PortTable;
  readonly queue: KeyedQueue;
  ownDeletion(): void;
}

export async function connect(
  context: ConnectDependencies,
  networkRef: string,
  containerId: string,
  wanted: EndpointConfig,
): Promise<void> {
  await context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const record = checkConnect(context, sandbox, networkRef, wanted);
    const endpoint = { ...wanted, network: record.name };
    const { state } = sandbox;
    if (state) await attach(context, sandbox, { config: sandbox.config, state }, endpoint);
    else want(context, sandbox, record, endpoint);
    emitEndpoint(context, 'connect', record.id, containerId);
  });
  await refreshParents(context, containerId);
}

/** Docker's rules, in Docker's order. Throws `invalid`, `forbidden` or `not-found`. */
export function checkConnect(
  context: ConnectDependencies,
  sandbox: Sandbox,
  networkRef: string,
  endpoint: EndpointConfig,
): NetworkRecord {
  const { config } = sandbox;
  checkNotLeaving(context, config.containerId);
  const refuse = (message: string): never => {
    throw new NetyardError('invalid', message);
  };
  const shared =
    'container sharing network namespace with another container or host cannot be connected to any other network';
  if (config.mode.kind === 'container') refuse(shared);
  const record = networkOf(context, networkRef);
  checkEndpoint(context, { ...endpoint, network: record.name });
  if (record.driver === 'host' && config.mode.kind !== 'host')
    refuse('cannot connect container to host network - container must be created in host network mode');
  for (const { network } of config.endpoints) {
    if (network === record.name && sandbox.state === undefined) return record;
    if (network === record.name) {
      const there = `endpoint with name ${config.name} already exists in network ${record.name}`;
      throw new NetyardError('forbidden', there);
    }
    if (network === 'host' || record.driver === 'host') refuse(shared);
    if (network === 'none' || record.driver === 'null')
      refuse('container cannot be connected to multiple networks with one of the networks in private (none) mode');
  }
  return record;
}

function checkNotLeaving(context: ConnectDependencies, containerId: string): void {
  const state = context.containers.info(containerId)?.state;
  if (state === 'dead' || state === 'removing')
    throw new NetyardError(
      'internal',
      `Container ${containerId} is marked for removal and cannot be connected or disconnected to the network`,
    );
}

/** A stopped container: remembered, with a static address reserved from now on. Twice is once, as in Docker. */
function want(context: ConnectDependencies, sandbox: Sandbox, record: NetworkRecord, endpoint: EndpointConfig): void {
  const { containerId, endpoints } = sandbox.config;
  if (endpoints.some((other) => other.network === record.name)) return;
  const address = endpoint.ipv4Address;
  if (address) context.pools.get(record.id)?.take(address, containerId);
  sandbox.config = { ...sandbox.config, endpoints: [...endpoints, endpoint] };
  context.store.transaction(() => {
    save(context, sandbox);
    if (address) context.store.putLease(record.id, address, containerId);
  });
}

async function attach(
  context: ConnectDependencies,
  sandbox: Sandbox,
  before: Prepared,
  wanted: EndpointConfig,
): Promise<void> {
  const { containerId } = before.config;
  const after = allocateAttached(context, before, wanted);
  sandbox.config = after.config;
  sandbox.state = after.state;
  try {
    context.store.transaction(() => {
      save(context, sandbox);
      storeEndpoint(context, containerId, after.endpoint);
    });
    const objects = planAttach(planInput(context, after, { files: false }), before, after.endpoint);
    context.ownDeletion();
    await context.kernel.apply({ owner: `container ${before.config.name}`, objects });
    await dropOldGateway(context, before, after);
  } catch (error) {
    sandbox.config = before.config;
    sandbox.state = before.state;
    release(context, before, after);
    context.store.transaction(() => {
      save(context, sandbox);
      unstoreEndpoint(context, after.endpoint);
      if (wanted.ipv4Address) context.store.deleteLease(after.endpoint.networkId, wanted.ipv4Address);
    });
    throw error;
  }
  await flushUdpConntrack(context, newPorts(before, after));
  await addHostsLines(context, after);
}

/** Own lines at the end; on the default bridge the links' lines above them. */
async function addHostsLines(context: ConnectDependencies, { config, endpoint }: Attached): Promise<void> {
  const entries = ownEntries(config, [endpoint]);
  if (entries.length === 0) return;
  const links = endpoint.networkName === 'bridge' ? context.links.ofParent(config.containerId) : [];
  const [own = ''] = ownNames(hostnameOf(config), config.domainname);
  await editOwnHosts(context, config, (before) => {
    const text = appendLines(before, entries);
    return links.reduce((so, link) => updateLinkLines(so, link.alias, linkEntries(context, link), own), text);
  });
}

/** The endpoint is there (or gone) whatever becomes of the file, which is the container's own by now. */
async function editOwnHosts(
  context: ConnectDependencies,
  config: SandboxConfig,
  edit: (text: string) => string,
): Promise<void> {
  try {
    await editHosts(context, config.containerId, edit);
  } catch (error) {
    context.logger.error('a hosts file could not be updated', { container: config.name, error: messageOf(error) });
  }
}

/** Ports moved to another endpoint keep their keys in the maps, but the old address is no longer one of `themselves`. */
async function dropOldGateway(context: ConnectDependencies, before: Prepared, after: Prepared): Promise<void> {
  const kept = new Set(planPorts(planInput(context, after, { files: false })).map(({ key }) => key));
  const objects = planPorts(planInput(context, before, { files: false })).filter(({ key }) => !kept.has(key));
  if (objects.length === 0) return;
  context.ownDeletion();
  await context.kernel.remove({ owner: `container ${before.config.name}`, objects });
}

type Attached = Prepared & { endpoint: EndpointState };

/** Takes address, link name and (when this endpoint leads outside) ports; gives all back when that fails. */
export function allocateAttached(context: ConnectDependencies, before: Prepared, wanted: EndpointConfig): Attached {
  const endpoint = allocateEndpoint(context, before.config, wanted, before.state.endpoints);
  const after: Attached = {
    config: { ...before.config, endpoints: [...before.config.endpoints, wanted] },
    state: { ...before.state, endpoints: [...before.state.endpoints, endpoint], ports: [...before.state.ports] },
    endpoint,
  };
  try {
    if (after.state.ports.length === 0) publishPorts(context, after.config, after.state);
    return after;
  } catch (error) {
    release(context, before, after);
    throw error;
  }
}

const newPorts = (before: Prepared, after: Prepared): Prepared['state']['ports'] =>
  after.state.ports.filter((port) => !before.state.ports.includes(port));

export function release(context: ConnectDependencies, before: Prepared, after: Attached): void {
  const { containerId } = before.config;
  for (const port of newPorts(before, after)) context.ports.release(port, containerId);
  freeEndpoint(context, containerId, after.endpoint);
  const { ipv4Address } = after.endpoint.config;
  if (ipv4Address) context.pools.get(after.endpoint.networkId)?.free(ipv4Address, containerId);
}

/** The new endpoint; ports and links belong to it only when it is the first that can have them. */
export function planAttach(input: SandboxPlanInput, before: Prepared, endpoint: EndpointState): KernelObject[] {
  const one = endpointInput(input, endpoint);
  if (!one) return [];
  const oldGateway = gatewayEndpoint(before.state.endpoints);
  // A higher priority moves the default route; its elements follow, as keys stay and only their values change.
  const ports = one.isGateway || oldGateway === undefined ? planPorts(input) : [];
  return [...planEndpoint(one), ...ports, ...input.linkAllowRules];
}

export async function disconnect(
  context: ConnectDependencies,
  networkRef: string,
  containerId: string,
  force: boolean,
): Promise<void> {
  await context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const { record, wanted } = checkDisconnect(context, sandbox, networkRef, force);
    await detach(context, sandbox, wanted);
    if (record) emitEndpoint(context, 'disconnect', record.id, containerId);
  });
}

/** Docker's rules. Throws `invalid`, `not-found` or `internal`. `record` is missing only for a network that is gone. */
export function checkDisconnect(
  context: ConnectDependencies,
  { config }: Sandbox,
  networkRef: string,
  force: boolean,
): { record: NetworkRecord | undefined; wanted: EndpointConfig } {
  const { containerId } = config;
  checkNotLeaving(context, containerId);
  const record = findForDisconnect(context, networkRef, force);
  const name = record?.name ?? networkRef;
  if (config.mode.kind === 'host' && name === 'host') {
    throw new NetyardError(
      'invalid',
      'cannot disconnect container from host network - container was created in host network mode',
    );
  }
  const wanted = config.endpoints.find((endpoint) => endpoint.network === name);
  if (!wanted) throw new NetyardError('internal', `container ${containerId} is not connected to the network ${name}`);
  return { record, wanted };
}

/** With `force` a network that is gone may be taken off the list. */
function findForDisconnect(context: ConnectDependencies, ref: string, force: boolean): NetworkRecord | undefined {
  try {
    return networkOf(context, ref);
  } catch (error) {
    if (force) return undefined;
    throw error;
  }
}

async function detach(context: ConnectDependencies, sandbox: Sandbox, wanted: EndpointConfig): Promise<void> {
  const { config, state } = sandbox;
  const { containerId } = config;
  const record = [...context.networks.values()].find((network) => network.name === wanted.network);
  const endpoint = state?.endpoints.find((candidate) => candidate.networkName === wanted.network);
  const next = { ...config, endpoints: config.endpoints.filter((other) => other !== wanted) };
  if (state && endpoint) await takeDown(context, sandbox, { config, state }, endpoint);
  sandbox.config = next;
  if (record && wanted.ipv4Address) context.pools.get(record.id)?.free(wanted.ipv4Address, containerId);
  context.store.transaction(() => {
    save(context, sandbox);
    if (endpoint) unstoreEndpoint(context, endpoint);
    if (record && wanted.ipv4Address) context.store.deleteLease(record.id, wanted.ipv4Address);
  });
}

export interface Detachment {
  after: Prepared;
  /** Whether the way outside goes with it. */
  wasGateway: boolean;
  /** To be removed. */
  gone: KernelObject[];
  /** To be made: another endpoint, if any, becomes the way outside and takes the ports. */
  made: KernelObject[];
}

/** What goes and comes with one endpoint of a running container. Changes nothing. */
export function planDetach(context: ConnectDependencies, before: Prepared, endpoint: EndpointState): Detachment {
  const wasGateway = gatewayEndpoint(before.state.endpoints)?.id === endpoint.id;
  const input = planInput(context, before, { files: false });
  const holes = endpoint.networkName === 'bridge' ? linkAllowRulesOf(context, before.config.containerId) : [];
  const gone = [...planEndpointRemoval(input, endpoint), ...(wasGateway ? planPorts(input) : []), ...holes];
  const endpoints = before.state.endpoints.filter((other) => other !== endpoint);
  const hasGateway = gatewayEndpoint(endpoints) !== undefined;
  const ports = wasGateway && !hasGateway ? [] : before.state.ports;
  const after: Prepared = { config: before.config, state: { ...before.state, endpoints, ports } };
  if (!wasGateway || !hasGateway) return { after, wasGateway, gone, made: [] };
  const next = planInput(context, after, { files: false });
  return { after, wasGateway, gone, made: [...planGatewayChange(next), ...planPorts(next)] };
}

async function takeDown(
  context: ConnectDependencies,
  sandbox: Sandbox,
  before: Prepared,
  endpoint: EndpointState,
): Promise<void> {
  const { containerId, name } = before.config;
  const { after, wasGateway, gone, made } = planDetach(context, before, endpoint);
  sandbox.state = after.state;
  context.ownDeletion();
  await context.kernel.remove({ owner: `container ${name}`, objects: gone });
  if (after.state.ports.length === 0) for (const port of before.state.ports) context.ports.release(port, containerId);
  freeEndpoint(context, containerId, endpoint);
  if (made.length > 0) await context.kernel.apply({ owner: `container ${name}`, objects: made });
  if (wasGateway) await flushUdpConntrack(context, before.state.ports);
  await dropOwnLines(context, before, endpoint);
}

async function dropOwnLines(
  context: ConnectDependencies,
  { config }: Prepared,
  endpoint: EndpointState,
): Promise<void> {
  const [own = ''] = ownNames(hostnameOf(config), config.domainname);
  const addresses = [endpoint.ipv4Address, endpoint.ipv6Address].filter((address) => address !== '');
  if (addresses.length > 0) await editOwnHosts(context, config, (text) => removeOwnLines(text, own, addresses));
}
