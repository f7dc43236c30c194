/**
 * The plan of one container's network side: namespace, endpoints, published ports, files. `prepare` applies it, `explain`
 * prints it, `release` removes it. Pure.
 */
import type { FileObject, KernelObject, NftElementObject, SysctlObject } from '@netyard/kernel';
import type { BridgeSettings } from '../bridge-settings.ts';
import type { EndpointState, SandboxConfig, SandboxState } from '../contract.ts';
import { planHairpin, planPublishedPort } from '../firewall/publish.ts';
import type { HostFacts } from './bridge-network.ts';
import { type EndpointPlanInput, planDefaultRoute, planEndpoint, planIsolation, planVeth } from './endpoint.ts';

export interface FileContents {
  hosts: string;
  hostname: string;
  resolvConf: string;
}

export interface SandboxPlanInput {
  config: SandboxConfig;
  state: SandboxState;
  /** By network id. */
  bridges: ReadonlyMap<string, BridgeSettings>;
  /** Absent for a running container, which may have changed its files. */
  files?: FileContents;
  linkAllowRules: readonly NftElementObject[];
  facts: HostFacts;
}

/** The endpoint that the default route and published ports use; undefined without any on a bridge. */
export function gatewayEndpoint(endpoints: readonly EndpointState[]): EndpointState | undefined {
  const priority = (endpoint: EndpointState): number => endpoint.config.gatewayPriority ?? 0;
  return endpoints
    .filter((endpoint) => endpoint.ipv4Gateway !== '')
    .toSorted((a, b) => priority(b) - priority(a) || (a.networkName < b.networkName ? -1 : 1))[0];
}

/** Undefined for an endpoint without kernel objects: on a network without a bridge, or without a namespace. */
export function endpointInput(input: SandboxPlanInput, endpoint: EndpointState): EndpointPlanInput | undefined {
  const bridge = input.bridges.get(endpoint.networkId);
  if (bridge === undefined || input.state.netnsPath === undefined) return undefined;
  return {
    containerId: input.config.containerId,
    containerName: input.config.name,
    netnsPath: input.state.netnsPath,
    endpoint,
    bridge,
    isGateway: gatewayEndpoint(input.state.endpoints)?.id === endpoint.id,
    facts: input.facts,
  };
}

export function planSandbox(input: SandboxPlanInput): KernelObject[] {
  const { state } = input;
  return [
    ...planNamespace(input),
    ...state.endpoints.flatMap((endpoint) => {
      const one = endpointInput(input, endpoint);
      return one ? planEndpoint(one) : [];
    }),
    ...planPorts(input),
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

export function planPorts({ config, state }: SandboxPlanInput): NftElementObject[] {
  const address = gatewayEndpoint(state.endpoints)?.ipv4Address;
  if (address === undefined || state.ports.length === 0) return [];
  const ports = state.ports.map((port) => planPublishedPort(port, address, config.containerId));
  return [planHairpin(address, config.containerId), ...ports];
}

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
 */
export function planRemoval(input: SandboxPlanInput, options: { keepNamespace: boolean }): KernelObject[] {
  const { state } = input;
  const endpoints = state.endpoints.flatMap((endpoint) => endpointInput(input, endpoint) ?? []);
  const ownsNamespace = state.netnsPath !== undefined && state.sharedWith === undefined;
  return [
    ...(ownsNamespace && !options.keepNamespace ? [{ kind: 'netns', path: state.netnsPath } as KernelObject] : []),
    ...(options.keepNamespace ? endpoints.map(planVeth) : []),
    ...endpoints.flatMap(planIsolation),
    ...planPorts(input),
    ...input.linkAllowRules,
  ];
}

export function planEndpointRemoval(input: SandboxPlanInput, endpoint: EndpointState): KernelObject[] {
  const one = endpointInput(input, endpoint);
  return one ? [...planIsolation(one), planVeth(one)] : [];
}

/** The default route of the endpoint that became the gateway after the former one was removed. */
export function planGatewayChange(input: SandboxPlanInput): KernelObject[] {
  const gateway = gatewayEndpoint(input.state.endpoints);
  const one = gateway && endpointInput(input, gateway);
  return one ? [planDefaultRoute(one)] : [];
}
