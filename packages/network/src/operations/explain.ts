/** The glass box: the plan that stands for a container a network or a peer, and what connect or start would do. */

import type { KeyedQueue } from '@netyard/core';
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Kernel, KernelObject, KernelOperation, KernelPlan, NftRuleObject } from '@netyard/kernel';
import type { ContainerDirectory, EndpointConfig, NetworkRecord, NetworkSettings } from '../contract.ts';
import type { AddressPool } from '../ipam/pool.ts';
import type { Sandbox } from '../lookup.ts';
import { bridgeOf, networkOf, sandboxOf } from '../lookup.ts';
import type { Peer, PeerTable } from '../peers/table.ts';
import type { HostFacts } from '../plan/bridge-network.ts';
import { planBridgeNetwork, planHost } from '../plan/bridge-network.ts';
import { planPeer } from '../plan/peer.ts';
import { planSandbox } from '../plan/sandbox.ts';
import type { Tunnel } from '../tunnel.ts';
import { planTunnel } from '../tunnel.ts';
import type { AllocateDependencies } from './allocate.ts';
import { allocateSandbox, freeSandbox } from './allocate.ts';
import type { ConnectDependencies } from './connect.ts';
import { allocateAttached, checkConnect, checkDisconnect, planAttach, planDetach, release } from './connect.ts';
import type { LinksDependencies } from './links.ts';
import { checkLinks } from './links.ts';
import { checkTogether } from './register.ts';
import type { RepairSandboxDependencies } from './repair-sandbox.ts';
import { isRepairedInside } from './repair-sandbox.ts';
import type { SandboxPlanDependencies } from './sandbox-plan.ts';
import { planInput, readIfThere } from './sandbox-plan.ts';
import type { SharedDependencies } from './shared-namespace.ts';
import { joinedState } from './shared-namespace.ts';

/** What the functions of this file work on. */
export interface ExplainDependencies
  extends AllocateDependencies,
    ConnectDependencies,
    LinksDependencies,
    RepairSandboxDependencies,
    SandboxPlanDependencies,
    SharedDependencies {
  readonly kernel: Kernel;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: PeerTable;
  tunnel: Tunnel | undefined;
  mtuLimit: number | undefined;
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
  readonly pools: Map<string, AddressPool>;
  readonly queue: KeyedQueue;
  facts: HostFacts;
}

/** A container's plan is complete: run on an empty host, it also makes the networks that the container is in. */
export function explain(context: ExplainDependencies, ref: string): KernelPlan {
  const containerId = context.containers.find(ref);
  if (containerId !== undefined && context.sandboxes.has(containerId)) return explainContainer(context, containerId);
  const peer = context.peers.get(ref);
  if (peer) return explainPeer(context, peer);
  const record = findNetwork(context, ref);
  return { owner: `network ${record.name}`, objects: withForeignRules(context, planNetworks(context, [record.id])) };
}

/** What is not there may have been meant as a container, a network or a peer: none of them is. */
function findNetwork(context: ExplainDependencies, ref: string): NetworkRecord {
  try {
    return networkOf(context, ref);
  } catch (error) {
    if (!isNetyardError(error, 'not-found')) throw error;
    const refused = context.peers.refused.get(ref);
    if (refused) throw new NetyardError('conflict', `peer ${ref} is refused: ${refused.problem}`);
    throw new NetyardError('not-found', `No such container, network or peer: ${ref}`);
  }
}

/** The tutorial's two steps, and the tunnel where the peer may use it. They stand on the default bridge and the table, which `explain bridge` prints. */
function explainPeer(context: ExplainDependencies, { record, path, problem }: Peer): KernelPlan {
  const { name, address, subnets } = record;
  if (!path) throw new NetyardError('conflict', `peer ${name} has no path: ${problem ?? 'it was not looked for yet'}`);
  const owner = `peer ${name}: ${subnets.join(', ')} behind ${address}; stands on the network bridge`;
  const tunnel = record.via !== 'route' && context.tunnel ? planTunnel(context.tunnel, context.facts) : [];
  return { owner, objects: [...tunnel, ...planPeer(record, path)] };
}

/** With the bridge come its accept rules in chains of other programs. */
const withForeignRules = (context: ExplainDependencies, networks: KernelObject[]): KernelObject[] =>
  networks.length === 0 ? networks : [...networks, ...context.foreign.rules];

/** Our table and the given networks' bridges; nothing for networks without one. */
export function planNetworks(context: ExplainDependencies, networkIds: readonly string[]): KernelObject[] {
  const bridges = networkIds.flatMap((id) => bridgeOf(context, id) ?? []);
  if (bridges.length === 0) return [];
  return [...planHost(context.facts), ...bridges.flatMap((bridge) => planBridgeNetwork(bridge, context.facts))];
}

function explainContainer(context: ExplainDependencies, containerId: string): KernelPlan {
  const { config, state } = sandboxOf(context, containerId);
  if (!state)
    throw new NetyardError('conflict', `Container ${config.name} is not running`, {
      hint: `\`docker start ${config.name}\` first, or ask what a start would do with --dry-run`,
    });
  if (state.sharedWith !== undefined) {
    const owner = context.sandboxes.get(state.sharedWith);
    if (owner?.state) return explainContainer(context, state.sharedWith);
  }
  const networkIds = state.endpoints.map((endpoint) => endpoint.networkId);
  const networks = withForeignRules(context, planNetworks(context, networkIds));
  const own = planSandbox(planInput(context, { config, state }, { files: true }));
  const isLeft = state.netnsPath !== undefined && !isRepairedInside(context, { config, state });
  const owner = `container ${config.name}${isLeft ? '; what changes inside it is not repaired' : ''}`;
  return { owner, objects: [...networks, ...own.map(unchanged)] };
}

/** Files are shown as they are: lines of links that were updated since, and what the user wrote. */
function unchanged(object: KernelObject): KernelObject {
  return object.kind === 'file' ? { ...object, content: readIfThere(object.path) ?? object.content } : object;
}

/** Allocates for a rehearsal: the next address handed out is still the one that it would have been. */
function rehearse<T>(context: ExplainDependencies, allocate: () => T): T {
  const cursors = [...context.pools.values()].map((pool) => ({ pool, cursor: pool.cursor }));
  try {
    return allocate();
  } finally {
    for (const { pool, cursor } of cursors) pool.cursor = cursor;
  }
}

/** Takes what connect would take, asks the kernel for the difference, and gives it back. */
export async function planConnect(
  context: ExplainDependencies,
  networkRef: string,
  containerId: string,
  wanted: EndpointConfig,
): Promise<KernelOperation[]> {
  return context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const record = checkConnect(context, sandbox, networkRef, wanted);
    const { state, config } = sandbox;
    if (!state) return [];
    const before = { config, state };
    const endpoint = { ...wanted, network: record.name };
    const after = rehearse(context, () => allocateAttached(context, before, endpoint));
    try {
      const objects = planAttach(planInput(context, after, { files: false }), before, after.endpoint);
      return await dryRun(context, { owner: `container ${config.name}`, objects });
    } finally {
      release(context, before, after);
    }
  });
}

/** What disconnect would take away, and what would take its place. */
export async function planDisconnect(
  context: ExplainDependencies,
  networkRef: string,
  containerId: string,
  force: boolean,
): Promise<KernelOperation[]> {
  return context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const { wanted } = checkDisconnect(context, sandbox, networkRef, force);
    const { state, config } = sandbox;
    const endpoint = state?.endpoints.find(({ networkName }) => networkName === wanted.network);
    if (!state || !endpoint) return [];
    const { gone, made } = planDetach(context, { config, state }, endpoint);
    const owner = `container ${config.name}`;
    const removal = await context.kernel.remove({ owner, objects: gone }, { dryRun: true });
    return [...removal.operations, ...(await dryRun(context, { owner, objects: made }))];
  });
}

export async function planPrepare(context: ExplainDependencies, containerId: string): Promise<KernelOperation[]> {
  return context.queue.run(containerId, async () => {
    const { config, state } = sandboxOf(context, containerId);
    if (state) return [];
    if (config.mode.kind === 'container') {
      joinedState(context, config, config.mode.ref);
      return [];
    }
    checkTogether(config);
    checkLinks(context, containerId);
    const draft = rehearse(context, () => allocateSandbox(context, config));
    try {
      const objects = planSandbox(planInput(context, { config, state: draft }, { files: true }));
      return await dryRun(context, { owner: `container ${config.name}`, objects });
    } finally {
      freeSandbox(context, config, draft);
    }
  });
}

async function dryRun(context: ExplainDependencies, plan: KernelPlan): Promise<KernelOperation[]> {
  return (await context.kernel.apply(plan, { dryRun: true })).operations;
}
