/** `explain`: the plan of a container, a network or a peer. */

import { isNetyardError, NetyardError } from '@netyard/core';
import { hasErrno, type KernelObject, type KernelPlan, type NftRuleObject, readStartIfExists } from '@netyard/kernel';
import type { AttachedDependencies, HostFacts, HostLinks } from '@netyard/network';
import { findAttached, planNetworks, planOf } from '@netyard/network';
import type { Peers } from '@netyard/peers';
import type {
  ContainerDirectory,
  EndpointRecord,
  EndpointState,
  NetworkRecord,
  NetworkSettings,
  NetworkStore,
} from '../contract.ts';
import { networkOf, type Sandbox, sandboxOf } from '../lookup.ts';
import { planDefaultSysctls, planSandbox } from '../plan/sandbox.ts';
import { isNamespaceRepaired, type RepairSandboxDependencies } from './repair-sandbox.ts';
import { planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';

/** Dependencies of the functions in this file. */
export interface ExplainDependencies
  extends RepairSandboxDependencies,
    SandboxPlanDependencies,
    Pick<AttachedDependencies, 'attached'> {
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly peers: Pick<Peers, 'get' | 'refusalOf' | 'explain'>;
  readonly hostLinks: Pick<HostLinks, 'segmentsOf'>;
  mtuLimit: number | undefined;
  foreign: { rules: readonly NftRuleObject[]; blocks: readonly string[] };
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
  const networks = withForeignRules(context, planNetworksOf(context, [record.endpoint]));
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

/** Of the networks' segments only those of the endpoints. */
function planNetworksOf(context: ExplainDependencies, endpoints: readonly EndpointState[]): KernelObject[] {
  const segmentsOf = (id: string): number[] =>
    endpoints.flatMap(({ networkId, segment }) => (networkId === id && segment !== undefined ? [segment] : []));
  const networkIds = endpoints.map(({ networkId }) => networkId);
  return planNetworks({ ...context, hostLinks: { segmentsOf } }, networkIds);
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
  const networks = withForeignRules(context, planNetworksOf(context, state.endpoints));
  const own = planSandbox(planInput(context, { config, state }, { files: true }));
  const isRepaired = state.netnsPath === undefined || isNamespaceRepaired(context, { config, state });
  const owner = `container ${config.name}${isRepaired ? '' : '; changes inside it are not repaired'}`;
  return { owner, objects: [...networks, ...own.map(unchanged), ...planDefaultSysctls({ config, state })] };
}

/** Longest file that is shown as it is. */
const longestShown = 1024 * 1024;

/**
 * Shows files with their current content, which includes later link updates and the user's changes; with the planned one
 * while the container holds a lease on the file (F_SETLEASE): it must not keep others from being shown and recorded.
 */
function unchanged(object: KernelObject): KernelObject {
  if (object.kind !== 'file') return object;
  try {
    const found = readStartIfExists(object.path, longestShown);
    return found?.isComplete ? { ...object, content: found.data.toString('utf8') } : object;
  } catch (error) {
    if (hasErrno(error, 'EAGAIN')) return object;
    throw error;
  }
}
