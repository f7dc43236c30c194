/** `explain` and dry runs: the plan of a container, a network or a peer, and what connect or start would do. */

import { isNetyardError, type KeyedQueue, NetyardError } from '@netyard/core';
import type { Kernel, KernelObject, KernelOperation, KernelPlan, NftRuleObject } from '@netyard/kernel';
import type { HostFacts, NetworkPools } from '@netyard/network';
import { findAttached, planNetworks, planOf } from '@netyard/network';
import type { Peers } from '@netyard/peers';
import type {
  ContainerDirectory,
  EndpointConfig,
  EndpointRecord,
  NetworkRecord,
  NetworkSettings,
  NetworkStore,
} from '../contract.ts';
import { networkOf, type Sandbox, sandboxOf } from '../lookup.ts';
import { planSandbox } from '../plan/sandbox.ts';
import { type AllocateDependencies, allocateSandbox, freeSandbox } from './allocate.ts';
import {
  allocateAttached,
  type ConnectDependencies,
  checkConnect,
  checkDisconnect,
  planAttach,
  planDetach,
  release,
} from './connect.ts';
import { checkLinks, type LinksDependencies } from './links.ts';
import { checkTogether } from './register.ts';
import { isNamespaceRepaired, type RepairSandboxDependencies } from './repair-sandbox.ts';
import { planInput, readIfExists, type SandboxPlanDependencies } from './sandbox-plan.ts';
import { joinedState, type SharedNamespaceDependencies } from './shared-namespace.ts';

/** Dependencies of the functions in this file. */
export interface ExplainDependencies
  extends AllocateDependencies,
    ConnectDependencies,
    LinksDependencies,
    RepairSandboxDependencies,
    SandboxPlanDependencies,
    SharedNamespaceDependencies {
  readonly store: NetworkStore;
  readonly kernel: Kernel;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly attached: Map<string, EndpointRecord>;
  readonly peers: Pick<Peers, 'get' | 'refusalOf' | 'explain'>;
  mtuLimit: number | undefined;
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
  readonly pools: Map<string, NetworkPools>;
  readonly queue: KeyedQueue;
  facts: HostFacts;
}

/** A container's plan is complete: applied to an empty host, it also creates the container's networks. */
export function explain(context: ExplainDependencies, ref: string): KernelPlan {
  const containerId = context.containers.find(ref);
  if (containerId !== undefined && context.sandboxes.has(containerId)) return explainContainer(context, containerId);
  const attached = findAttached(context, ref);
  if (attached) return explainAttached(context, attached);
  if (context.peers.get(ref)) return context.peers.explain(ref);
  const record = findNetwork(context, ref);
  return { owner: `network ${record.name}`, objects: withForeignRules(context, planNetworks(context, [record.id])) };
}

function explainAttached(context: ExplainDependencies, record: EndpointRecord): KernelPlan {
  const networks = withForeignRules(context, planNetworks(context, [record.endpoint.networkId]));
  const owner = `endpoint ${record.name}; its namespace belongs to another program`;
  return { owner, objects: [...networks, ...planOf(context, record).objects] };
}

/** An unknown reference may have been meant as a container, a network or a peer: the message names all three. */
function findNetwork(context: ExplainDependencies, ref: string): NetworkRecord {
  try {
    return networkOf(context, ref);
  } catch (error) {
    if (!isNetyardError(error, 'not-found')) throw error;
    const refusal = context.peers.refusalOf(ref);
    if (refusal !== undefined) throw new NetyardError('conflict', `peer ${ref} is refused: ${refusal}`);
    throw new NetyardError('not-found', `No such container, network or peer: ${ref}`);
  }
}

/** Adds the accept rules for bridges in chains of other programs. */
const withForeignRules = (context: ExplainDependencies, networks: KernelObject[]): KernelObject[] =>
  networks.length === 0 ? networks : [...networks, ...context.foreign.rules];

function explainContainer(context: ExplainDependencies, containerId: string): KernelPlan {
  const { config, state } = sandboxOf(context, containerId);
  if (!state)
    throw new NetyardError('conflict', `Container ${config.name} is not running`, {
      hint: `run \`docker start ${config.name}\` first, or use --dry-run to show what a start would do`,
    });
  if (state.sharedWith !== undefined) {
    const owner = context.sandboxes.get(state.sharedWith);
    if (owner?.state) return explainContainer(context, state.sharedWith);
  }
  const networkIds = state.endpoints.map((endpoint) => endpoint.networkId);
  const networks = withForeignRules(context, planNetworks(context, networkIds));
  const own = planSandbox(planInput(context, { config, state }, { files: true }));
  const isRepaired = state.netnsPath === undefined || isNamespaceRepaired(context, { config, state });
  const owner = `container ${config.name}${isRepaired ? '' : '; changes inside it are not repaired'}`;
  return { owner, objects: [...networks, ...own.map(unchanged)] };
}

/** Shows files with their current content, which includes later link updates and the user's changes. */
function unchanged(object: KernelObject): KernelObject {
  return object.kind === 'file' ? { ...object, content: readIfExists(object.path) ?? object.content } : object;
}

/** Allocates for a dry run and restores the cursors, so that later allocations are not affected. */
const allocateForDryRun = <T>(context: ExplainDependencies, allocate: () => T): T =>
  [...context.pools.values()].reduce((inner, pools) => () => pools.withoutCursorChange(inner), allocate)();

/** Allocates as connect would, lets the kernel compute the difference, and releases the allocation. */
export async function planConnect(
  context: ExplainDependencies,
  networkRef: string,
  containerId: string,
  requested: EndpointConfig,
): Promise<KernelOperation[]> {
  return context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const record = checkConnect(context, sandbox, networkRef, requested);
    const { state, config } = sandbox;
    if (!state) return [];
    const before = { config, state };
    const endpoint = { ...requested, network: record.name };
    const after = allocateForDryRun(context, () => allocateAttached(context, before, endpoint));
    try {
      const objects = planAttach(planInput(context, after, { files: false }), before, after.endpoint);
      return await dryRun(context, { owner: `container ${config.name}`, objects });
    } finally {
      release(context, before, after);
    }
  });
}

/** What disconnect would delete, and what would replace it. */
export async function planDisconnect(
  context: ExplainDependencies,
  networkRef: string,
  containerId: string,
  force: boolean,
): Promise<KernelOperation[]> {
  return context.queue.run(containerId, async () => {
    const sandbox = sandboxOf(context, containerId);
    const { config: removed } = checkDisconnect(context, sandbox, networkRef, force);
    const { state, config } = sandbox;
    const endpoint = state?.endpoints.find(({ networkName }) => networkName === removed.network);
    if (!state || !endpoint) return [];
    const { deleted, created } = planDetach(context, { config, state }, endpoint);
    const owner = `container ${config.name}`;
    const removal = await context.kernel.remove({ owner, objects: deleted }, { dryRun: true });
    return [...removal.operations, ...(await dryRun(context, { owner, objects: created }))];
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
    checkTogether(context, config);
    checkLinks(context, containerId);
    const draft = allocateForDryRun(context, () => allocateSandbox(context, config));
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
