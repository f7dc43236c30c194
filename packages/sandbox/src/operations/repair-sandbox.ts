/** Repairs a running container's kernel objects; inside its namespace only if the repair policy allows it. */
import type { Kernel, KernelObject, KernelOperation } from '@netyard/kernel';
import {
  describeRepair,
  isInNamespace,
  planHostSideRepair,
  planNamespaceRepair,
  shouldRepairNamespace,
} from '@netyard/network';
import type { ContainerDirectory, NetworkEvent, NetworkRecord, NetworkSettings } from '../contract.ts';
import type { Sandbox } from '../lookup.ts';
import { planInterfaces, planSandbox } from '../plan/sandbox.ts';
import type { NamespaceRepairs } from '../services.ts';
import { type Prepared, planInput, type SandboxPlanDependencies } from './sandbox-plan.ts';
import { type SharedNamespaceDependencies, sharersOf } from './shared-namespace.ts';

/** Dependencies of the functions in this file. */
export interface RepairSandboxDependencies extends SandboxPlanDependencies, SharedNamespaceDependencies {
  readonly kernel: Kernel;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly namespaces: NamespaceRepairs;
  emit(event: Omit<NetworkEvent, 'type'>): void;
}

/** Whether changes inside the container's own namespace are undone. */
export function isNamespaceRepaired(context: RepairSandboxDependencies, { config, state }: Sandbox): boolean {
  const info = context.containers.info(config.containerId);
  if (!info || state?.netnsPath === undefined || state.sharedWith !== undefined) return false;
  const mayChange = (): boolean =>
    info.netAdmin || state.sharedWithAdmin === true || sharersOf(context, config.containerId).some(isAdmin(context));
  const policy = context.settings.repairContainers ?? 'auto';
  const dependsOnCapability = policy === 'auto' && info.repair === undefined;
  return shouldRepairNamespace({ policy, label: info.repair, mayChange: dependsOnCapability && mayChange() });
}

const isAdmin =
  (context: RepairSandboxDependencies) =>
  ({ config }: Sandbox): boolean =>
    context.containers.info(config.containerId)?.netAdmin === true;

/** Applies a running container's plan again, without its files, which it may have changed. Returns the operations. */
export async function repairSandbox(context: RepairSandboxDependencies, sandbox: Sandbox): Promise<KernelOperation[]> {
  const { config, state } = sandbox;
  if (!state || state.sharedWith !== undefined || state.netnsPath === undefined) return [];
  const objects = await planRepair(context, { config, state }, state.netnsPath);
  const { operations } = await context.kernel.apply({ owner: `container ${config.name}`, objects });
  if (operations.length > 0) emitRepair(context, sandbox, { action: 'repair', ...describeRepair(operations) });
  return operations;
}

/** An event of the container's first network; none for a container without networks. */
export function emitRepair(
  context: Pick<RepairSandboxDependencies, 'networks' | 'emit'>,
  { config: { containerId }, state }: Sandbox,
  event: Omit<NetworkEvent, 'type' | 'networkId' | 'networkName' | 'driver' | 'containerId'>,
): void {
  const network = state?.endpoints.map((endpoint) => context.networks.get(endpoint.networkId)).find(Boolean);
  if (!network) return;
  const { id: networkId, name: networkName, driver } = network;
  context.emit({ ...event, networkId, networkName, driver, containerId });
}

/** Observes only the objects inside the namespace, and repairs the container if they differ. */
export async function repairNamespace(
  context: RepairSandboxDependencies,
  sandbox: Sandbox,
): Promise<KernelOperation[]> {
  const { config, state } = sandbox;
  const ns = state?.netnsPath;
  if (!state || ns === undefined) return [];
  const plan = await planRepair(context, { config, state }, ns);
  const objects = plan.filter((object) => object.kind === 'netns' || isInNamespace(object, ns));
  const found = await context.kernel.observe(objects);
  const isGone = objects.some(({ kind }, index) => kind === 'netns' && found[index]?.state === 'absent');
  if (isGone || found.every(({ state }) => state === 'present')) return [];
  return await repairSandbox(context, sandbox);
}

async function planRepair(context: RepairSandboxDependencies, sandbox: Prepared, ns: string): Promise<KernelObject[]> {
  const { containerId } = sandbox.config;
  const settings = context.namespaces.settingsOf(containerId);
  const undecided = settingsOfSharers(context, containerId, settings);
  const input = planInput(context, sandbox, { files: false });
  const objects = planSandbox(input).filter(
    (object) => !(object.kind === 'sysctl' && object.ns === ns && undecided.has(object.key)),
  );
  if (isNamespaceRepaired(context, sandbox)) return planNamespaceRepair(objects, ns, settings);
  const interfaces = planInterfaces(input);
  const found = await context.kernel.observe(interfaces);
  const missing = interfaces.filter((_one, index) => found[index]?.state === 'absent');
  return planHostSideRepair(objects, ns, missing);
}

/**
 * Keys of `--sysctl` settings that sharers set, too, and whose value was not read yet, as after a restart of the daemon:
 * the container that started last has set it, as in Docker, so the present value stays.
 */
function settingsOfSharers(
  context: RepairSandboxDependencies,
  ownerId: string,
  read: ReadonlyMap<string, string>,
): ReadonlySet<string> {
  const keys = sharersOf(context, ownerId).flatMap(({ config }) => Object.keys(config.sysctls));
  return new Set(keys.filter((key) => !read.has(key)));
}
