/**
 * The plan of one container's network side: namespace, endpoints, published ports, files. `prepare` applies it, `explain`
 * prints it, `release` removes it. Pure.
 */
import type { FileObject, KernelObject, NftElementObject, SysctlObject } from '@netyard/kernel';
import {
  type EndpointOwner,
  type EndpointPlanInput,
  type Family,
  type HostFacts,
  hasDefaultRoute,
  type NetworkPlanner,
  valuesOf,
} from '@netyard/network';
import type { EndpointState, SandboxConfig, SandboxState } from '../contract.ts';

export interface FileContents {
  hosts: string;
  hostname: string;
  resolvConf: string;
}

export interface SandboxPlanInput {
  config: SandboxConfig;
  state: SandboxState;
  /** By network id. */
  planners: ReadonlyMap<string, NetworkPlanner>;
  /** Absent for a running container, which may have changed its files. */
  files?: FileContents;
  linkAllowRules: readonly NftElementObject[];
  facts: HostFacts;
}

/**
 * The endpoint that the default route and the published ports of a family use; undefined without any that leads out. In
 * Docker's order: the highest priority, then endpoints that lead out by both families, then the network's name.
 */
export function gatewayEndpoint(endpoints: readonly EndpointState[], family: Family): EndpointState | undefined {
  const priority = ({ config }: EndpointState): number => config.gatewayPriority ?? 0;
  const ways = ({ addresses }: EndpointState): number => valuesOf(addresses).filter(hasDefaultRoute).length;
  const precedes = (a: EndpointState, b: EndpointState): boolean =>
    (priority(a) - priority(b) || ways(a) - ways(b) || (a.networkName < b.networkName ? 1 : -1)) > 0;
  let first: EndpointState | undefined;
  for (const endpoint of endpoints)
    if (hasDefaultRoute(endpoint.addresses[family]) && (first === undefined || precedes(endpoint, first)))
      first = endpoint;
  return first;
}

const ipv6PortsEndpoint = ({ state, planners }: SandboxPlanInput): EndpointState | undefined =>
  (['v6', 'v4'] as const)
    .map((family) => gatewayEndpoint(state.endpoints, family))
    .find((endpoint) => endpoint !== undefined && planners.get(endpoint.networkId)?.bridge !== undefined);

/** Whether an endpoint is the gateway of each family. */
const gatewayOf = ({ id }: EndpointState, endpoints: readonly EndpointState[]): Record<Family, boolean> => ({
  v4: gatewayEndpoint(endpoints, 'v4')?.id === id,
  v6: gatewayEndpoint(endpoints, 'v6')?.id === id,
});

const ownerOf = ({ containerId: id, name }: SandboxConfig): EndpointOwner => ({ kind: 'container', id, name });

/** Lists planned by one function of the endpoint's planner; empty without a namespace to plan for. */
function planWith<T>(
  input: SandboxPlanInput,
  endpoint: EndpointState,
  plan: (planner: NetworkPlanner, one: EndpointPlanInput) => T[],
): T[] {
  const planner = input.planners.get(endpoint.networkId);
  if (planner === undefined || input.state.netnsPath === undefined) return [];
  return plan(planner, {
    owner: ownerOf(input.config),
    netnsPath: input.state.netnsPath,
    endpoint,
    isGateway: gatewayOf(endpoint, input.state.endpoints),
    hasIpv6Ports: ipv6PortsEndpoint(input)?.id === endpoint.id,
    facts: input.facts,
  });
}

export const planEndpoint = (input: SandboxPlanInput, endpoint: EndpointState): KernelObject[] =>
  planWith(input, endpoint, (planner, one) => planner.planEndpoint(one));

/** Interfaces that are only in the namespace, attached to an interface of the host. */
const planInnerInterfaces = (input: SandboxPlanInput): KernelObject[] =>
  input.state.endpoints
    .filter(({ hostLink }) => hostLink === '')
    .flatMap((endpoint) => planWith(input, endpoint, (planner, one) => planner.planInterface(one)));

/** The interfaces of all endpoints. */
export const planInterfaces = (input: SandboxPlanInput): KernelObject[] =>
  input.state.endpoints.flatMap((endpoint) => planWith(input, endpoint, (planner, one) => planner.planInterface(one)));

const planHostElements = (input: SandboxPlanInput, endpoint: EndpointState): KernelObject[] =>
  planWith(input, endpoint, (planner, one) => planner.planHostElements(one));

export function planSandbox(input: SandboxPlanInput): KernelObject[] {
  const { state } = input;
  return [
    ...planNamespace(input),
    ...state.endpoints.flatMap((endpoint) => planEndpoint(input, endpoint)),
    ...planSharedElements(input),
    ...input.linkAllowRules,
    ...planFiles(input),
  ];
}

function planNamespace({ config, state }: SandboxPlanInput): KernelObject[] {
  if (state.netnsPath === undefined || state.sharedWith !== undefined) return [];
  const ns = state.netnsPath;
  return [{ kind: 'netns', path: ns }, { kind: 'link-state', ns, name: 'lo', up: true }, ...planSysctls(config, ns)];
}

/** `--sysctl net.*` in the namespace at `ns`; also for a container that joins another one's namespace. */
export function planSysctls(config: Pick<SandboxConfig, 'sysctls'>, ns: string): SysctlObject[] {
  const sysctls = Object.entries(config.sysctls).filter(([key]) => key.startsWith('net.'));
  return sysctls.map(([key, value]) => ({ kind: 'sysctl', ns, key, value }));
}

/** Docker's defaults: an ordinary user in a container can ping and bind low ports. */
const defaultSysctls: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

/**
 * The defaults in a namespace of the container's own, unless `--sysctl` sets them. Not part of its plan, since they are not
 * repaired. The OCI runtime could set them as well, but it would look them up in the host's /proc, where the kernel
 * searches the entries of all namespaces.
 */
export function planDefaultSysctls({ config, state }: Pick<SandboxPlanInput, 'config' | 'state'>): SysctlObject[] {
  const ns = state.netnsPath;
  if (ns === undefined || state.sharedWith !== undefined) return [];
  const keys = Object.entries(defaultSysctls).filter(([key]) => config.sysctls[key] === undefined);
  return keys.map(([key, value]) => ({ kind: 'sysctl', ns, key, value }));
}

/** Elements of all endpoints that depend on the others: what makes published ports reachable, and source addresses. */
export const planSharedElements = (input: SandboxPlanInput): NftElementObject[] =>
  input.state.endpoints.flatMap((endpoint) =>
    planWith(input, endpoint, (planner, one) => [
      ...planner.planSources(
        one,
        input.state.endpoints.filter((other) => other !== endpoint),
      ),
      ...planner.planPorts(one, input.state.ports),
    ]),
  );

function planFiles({ state, files }: SandboxPlanInput): FileObject[] {
  if (files === undefined || state.sharedWith !== undefined) return [];
  return [
    { kind: 'file', path: state.files.hosts, content: files.hosts },
    { kind: 'file', path: state.files.hostname, content: files.hostname },
    { kind: 'file', path: state.files.resolvConf, content: files.resolvConf },
  ];
}

/**
 * The objects to delete when the container stops. Deleting the namespace deletes its interfaces, and these their
 * addresses and routes; files are kept. If other containers share the namespace, its interfaces are deleted one by one.
 * Those without an end on the host are always: the kernel deletes a namespace's interfaces later, and until then the
 * interface's MAC, which the next start uses again, is in use.
 */
export function planRemoval(input: SandboxPlanInput, options: { keepNamespace: boolean }): KernelObject[] {
  const { state } = input;
  const ownsNamespace = state.netnsPath !== undefined && state.sharedWith === undefined;
  return [
    ...(ownsNamespace && !options.keepNamespace ? [{ kind: 'netns', path: state.netnsPath } as KernelObject] : []),
    ...(options.keepNamespace ? planInterfaces(input) : planInnerInterfaces(input)),
    ...state.endpoints.flatMap((endpoint) => planHostElements(input, endpoint)),
    ...planSharedElements(input),
    ...input.linkAllowRules,
  ];
}

export const planEndpointRemoval = (input: SandboxPlanInput, endpoint: EndpointState): KernelObject[] =>
  planWith(input, endpoint, (planner, one) => [...planner.planHostElements(one), ...planner.planInterface(one)]);

/** The default routes, also of the endpoints that became gateways after a former one was removed. */
export const planGatewayChange = (input: SandboxPlanInput): KernelObject[] =>
  input.state.endpoints.flatMap((endpoint) =>
    planWith(input, endpoint, (planner, one) => planner.planDefaultRoutes(one)),
  );
