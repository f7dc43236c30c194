/** `network disconnect`: removes a requested endpoint, and the interface of a running container. */

import { NetyardError } from '@netyard/core';
import type { KernelObject } from '@netyard/kernel';
import {
  type Family,
  families,
  familyOfAddress,
  flushUdpConntrack,
  freeEndpoint,
  isInNamespace,
  removeEmptySegments,
  unstoreEndpoint,
} from '@netyard/network';
import type { EndpointConfig, EndpointState, NetworkRecord } from '../contract.ts';
import { networkOf, type Sandbox, sandboxOf, save } from '../lookup.ts';
import { gatewayEndpoint, planEndpointRemoval, planGatewayChange, planSharedElements } from '../plan/sandbox.ts';
import { type ConnectDependencies, changedElements, checkNotRemoving, newPorts } from './connect.ts';
import { emitEndpoint } from './endpoint-events.ts';
import { removeHostsLines } from './own-hosts-lines.ts';
import { publishableFamilies, relayPublished } from './ports.ts';
import { linkAllowRulesOf, type Prepared, planInput } from './sandbox-plan.ts';
import { applyStaticRelease, planStaticRelease, storeStaticRelease } from './static-addresses.ts';

export async function disconnect(
  context: ConnectDependencies,
  networkRef: string,
  containerId: string,
  force: boolean,
): Promise<void> {
  await context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const { record, config } = checkDisconnect(context, sandbox, networkRef, force);
    await detach(context, sandbox, config);
    if (record) emitEndpoint(context, 'disconnect', record.id, containerId);
  });
}

/** Docker's checks. Throws `invalid`, `not-found` or `failed`. `record` is undefined only for a deleted network. */
function checkDisconnect(
  context: ConnectDependencies,
  { config, state }: Sandbox,
  networkRef: string,
  force: boolean,
): { record: NetworkRecord | undefined; config: EndpointConfig } {
  const { containerId } = config;
  checkNotRemoving(context, containerId);
  const record = findForDisconnect(context, networkRef, force);
  const name = record?.name ?? networkRef;
  if (config.mode.kind === 'host' && name === 'host') {
    throw new NetyardError(
      'invalid',
      'cannot disconnect container from host network - container was created in host network mode',
    );
  }
  const found = config.endpoints.find((endpoint) => endpoint.network === name);
  const kind = state ? 'network' : 'the network';
  if (!found) throw new NetyardError('failed', `container ${containerId} is not connected to ${kind} ${name}`);
  return { record, config: found };
}

/** With `force`, a deleted network can be removed from the list. */
function findForDisconnect(context: ConnectDependencies, ref: string, force: boolean): NetworkRecord | undefined {
  try {
    return networkOf(context, ref);
  } catch (error) {
    if (force) return undefined;
    throw error;
  }
}

async function detach(context: ConnectDependencies, sandbox: Sandbox, removed: EndpointConfig): Promise<void> {
  const { config, state } = sandbox;
  const { containerId } = config;
  const endpoint = state?.endpoints.find((candidate) => candidate.networkName === removed.network);
  const next = {
    ...config,
    endpoints: config.endpoints.filter((other) => other !== removed),
    ...(config.formerEndpoints
      ? { formerEndpoints: config.formerEndpoints.filter(({ network }) => network !== removed.network) }
      : {}),
  };
  if (endpoint) sandbox.detaching = endpoint;
  try {
    const detachment =
      state && endpoint ? await deleteEndpoint(context, sandbox, { config, state }, endpoint) : undefined;
    sandbox.config = next;
    const released = planStaticRelease(context, { containerId, endpoints: [removed] });
    applyStaticRelease(context, containerId, released);
    context.store.transaction(() => {
      save(context, sandbox);
      if (endpoint) unstoreEndpoint(context, endpoint);
      storeStaticRelease(context.store, released);
    });
    if (detachment) await moveGateway(context, detachment);
  } finally {
    delete sandbox.detaching;
  }
}

interface Detachment {
  after: Prepared;
  /** Whether the endpoint holds the default route of a family, and its published ports. */
  wasGateway: boolean;
  /** Objects to delete. */
  deleted: KernelObject[];
  /** Objects to create: another endpoint, if any, becomes the gateway and gets the ports. */
  created: KernelObject[];
}

/** The objects to delete and create when an endpoint of a running container is detached. Changes nothing. */
function planDetach(context: ConnectDependencies, before: Prepared, endpoint: EndpointState): Detachment {
  const isGateway = (family: Family): boolean => gatewayEndpoint(before.state.endpoints, family)?.id === endpoint.id;
  const wasGateway = families.some(isGateway);
  const input = planInput(context, before, { files: false });
  const allowRules = endpoint.networkName === 'bridge' ? linkAllowRulesOf(context, before.config.containerId) : [];
  const endpoints = before.state.endpoints.filter((other) => other !== endpoint);
  const kept = publishableFamilies(context, endpoints);
  const ports = before.state.ports.filter(({ hostAddress }) => kept.includes(familyOfAddress(hostAddress)));
  const after: Prepared = { config: before.config, state: { ...before.state, endpoints, ports } };
  const next = planInput(context, after, { files: false });
  const [formerElements, nextElements] = [planSharedElements(input), planSharedElements(next)];
  const deleted = [
    ...planEndpointRemoval(input, endpoint),
    ...changedElements(formerElements, nextElements),
    ...allowRules,
  ];
  const created = [...(wasGateway ? planGatewayChange(next) : []), ...changedElements(nextElements, formerElements)];
  return { after, wasGateway, deleted, created };
}

async function deleteEndpoint(
  context: ConnectDependencies,
  sandbox: Sandbox,
  before: Prepared,
  endpoint: EndpointState,
): Promise<Detachment> {
  const { containerId, name } = before.config;
  const detachment = planDetach(context, before, endpoint);
  const { after } = detachment;
  sandbox.state = after.state;
  context.ownDeletion();
  await context.kernel.remove({ owner: `container ${name}`, objects: detachment.deleted });
  for (const port of newPorts(after, before)) context.ports.release(port, containerId);
  freeEndpoint(context, containerId, endpoint);
  await removeEmptySegments(context, [endpoint]);
  await removeHostsLines(context, before, endpoint);
  if (detachment.wasGateway) await flushUdpConntrack(context, before.state.ports);
  return detachment;
}

/**
 * Another endpoint becomes the gateway and gets the ports. By now the disconnect is stored. A container with CAP_NET_ADMIN may
 * have renamed or deleted the interface of the other endpoint: its default route is then its own concern, but its published
 * ports are not.
 */
async function moveGateway(context: ConnectDependencies, { after, created }: Detachment): Promise<void> {
  const { config, state } = after;
  const owner = `container ${config.name}`;
  const ns = state.netnsPath;
  const isInside = (object: KernelObject): boolean => ns !== undefined && isInNamespace(object, ns);
  const [inside, outside] = [created.filter(isInside), created.filter((object) => !isInside(object))];
  try {
    if (inside.length > 0) await context.kernel.apply({ owner, objects: inside });
  } catch (error) {
    const hint = 'it has changed its interfaces: set the route inside, or restart it';
    context.logger.warn('a disconnected container has no default route', { container: config.name, hint, error });
  }
  if (outside.length > 0) await context.kernel.apply({ owner, objects: outside });
  relayPublished(context, config, state);
}
