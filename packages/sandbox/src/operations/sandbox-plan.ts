/** Collects the input of the pure sandbox plans: planners, link allow rules, contents of files. */
import { hostname } from 'node:os';
import { shortId } from '@netyard/core';
import { type NftElementObject, readIfExists } from '@netyard/kernel';
import type { HostFacts } from '@netyard/network';
import { families, familyOfAddress, planLinkAllowRules, valuesOf } from '@netyard/network';
import type {
  EndpointState,
  LinkRecord,
  NetworkRecord,
  NetworkSettings,
  RemoteName,
  SandboxConfig,
  SandboxState,
} from '../contract.ts';
import { formatHostname } from '../files/hostname.ts';
import { formatHosts, type HostsEntry, linkNames, ownNames, parseExtraHost } from '../files/hosts.ts';
import type { LinkIndex } from '../links/index.ts';
import { bridgeOf, plannerOf, type Sandbox } from '../lookup.ts';
import type { FileContents, SandboxPlanInput } from '../plan/sandbox.ts';
import type { ContainerNames } from '../services.ts';
import { resolvConfContent } from './container-resolv-conf.ts';

/** Dependencies of the functions in this file. */
export interface SandboxPlanDependencies {
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  mtuLimit: number | undefined;
  readonly links: LinkIndex;
  readonly names: ContainerNames;
  facts: HostFacts;
}

export type Prepared = Sandbox & { state: SandboxState };

/** By `--sysctl`: the container has no IPv6 at all, not even ::1. */
export const hasIpv6Disabled = ({ sysctls }: Pick<SandboxConfig, 'sysctls'>): boolean =>
  sysctls['net.ipv6.conf.all.disable_ipv6'] === '1';

export function hostnameOf(config: SandboxConfig): string {
  if (config.hostname !== '') return config.hostname;
  return config.mode.kind === 'host' ? hostname() : shortId(config.containerId);
}

/** The endpoint on the default bridge, where links have an effect; undefined when the container has none. */
export function linkEndpoint(context: SandboxPlanDependencies, containerId: string): EndpointState | undefined {
  const endpoints = context.sandboxes.get(containerId)?.state?.endpoints;
  return endpoints?.find((endpoint) => endpoint.networkName === 'bridge' && endpoint.addresses.v4 !== undefined);
}

export function planInput(
  context: SandboxPlanDependencies,
  sandbox: Prepared,
  options: { files: boolean },
): SandboxPlanInput {
  const planners = new Map(
    sandbox.state.endpoints.flatMap(({ networkId }) => {
      const planner = plannerOf(context, networkId);
      return planner ? [[networkId, planner] as const] : [];
    }),
  );
  return {
    config: sandbox.config,
    state: sandbox.state,
    planners,
    linkAllowRules: linkAllowRulesOf(context, sandbox.config.containerId),
    facts: context.facts,
    ...(options.files ? { files: fileContents(context, sandbox) } : {}),
  };
}

/** Allow rules of all links from and to this container whose two ends are on a bridge without inter-container traffic. */
export function linkAllowRulesOf(context: SandboxPlanDependencies, containerId: string): NftElementObject[] {
  const links = [...context.links.ofParent(containerId), ...context.links.ofChild(containerId)];
  return links.flatMap((link) => linkAllowRules(context, link));
}

export function linkAllowRules(context: SandboxPlanDependencies, link: LinkRecord): NftElementObject[] {
  const parent = linkEndpoint(context, link.parentId);
  const child = linkEndpoint(context, link.childId);
  const childSandbox = context.sandboxes.get(link.childId);
  if (!parent || !child || !childSandbox || bridgeOf(context, parent.networkId)?.icc !== false) return [];
  const published = childSandbox.config.ports.map(({ protocol, containerPort }) => ({ protocol, port: containerPort }));
  const ports = [...childSandbox.config.exposed, ...published];
  return families.flatMap((family) => {
    const [parentAddress, childAddress] = [parent, child].map(({ addresses }) => addresses[family]?.address);
    if (parentAddress === undefined || childAddress === undefined) return [];
    const { parentId, childId } = link;
    return planLinkAllowRules({ family, parentId, parentAddress, childId, childAddress, ports });
  });
}

/** The hosts entries of a link; empty while its target has no address. A container without IPv6 gets none of it. */
export function linkEntries(context: SandboxPlanDependencies, link: LinkRecord): HostsEntry[] {
  if (link.remote) return remoteEntries(link.alias, link.remote.at);
  const endpoint = linkEndpoint(context, link.childId);
  const child = context.sandboxes.get(link.childId)?.config;
  if (!endpoint || !child) return [];
  const names = linkNames(link.alias, hostnameOf(child), child.name);
  const parent = context.sandboxes.get(link.parentId)?.config;
  const isHidden = (address: string): boolean =>
    parent !== undefined && hasIpv6Disabled(parent) && familyOfAddress(address) === 'v6';
  return valuesOf(endpoint.addresses).flatMap(({ address }) => (isHidden(address) ? [] : [{ address, names }]));
}

/** Other hosts know the container's short id, which is its hostname unless the user set another. */
function remoteEntries(alias: string, { address, containerId, name }: RemoteName): HostsEntry[] {
  return address === '' ? [] : [{ address, names: linkNames(alias, shortId(containerId), name) }];
}

/** The container's own lines, one per address. */
export function ownEntries(config: SandboxConfig, endpoints: readonly EndpointState[]): HostsEntry[] {
  const names = ownNames(hostnameOf(config), config.domainname);
  return endpoints.flatMap((endpoint) => valuesOf(endpoint.addresses)).map(({ address }) => ({ address, names }));
}

function fileContents(context: SandboxPlanDependencies, sandbox: Prepared): FileContents {
  const { config } = sandbox;
  return {
    hosts: hostsContent(context, sandbox),
    hostname: formatHostname(hostnameOf(config)),
    resolvConf: resolvConfContent(context, sandbox),
  };
}

function hostsContent(context: SandboxPlanDependencies, { config, state }: Prepared): string {
  const isHost = config.mode.kind === 'host';
  if (isHost && config.extraHosts.length === 0) return readIfExists(context.settings.hostHosts) ?? '';
  const links = linkEndpoint(context, config.containerId) ? context.links.ofParent(config.containerId) : [];
  return formatHosts({
    ipv6: context.facts.ipv6 && !hasIpv6Disabled(config),
    extra: config.extraHosts.flatMap((text) => parseExtraHost(text, hostGateways(context))),
    links: links.flatMap((link) => linkEntries(context, link)),
    own: ownEntries(config, state.endpoints),
  });
}

/** The addresses of `host-gateway` in `--add-host`: those of `--host-gateway-ip`, else the default bridge's. */
export function hostGateways({ networks, settings }: SandboxPlanDependencies): string[] {
  if (settings.hostGateways !== undefined) return [...settings.hostGateways];
  const bridge = [...networks.values()].find((record) => record.name === 'bridge');
  return valuesOf(bridge?.ipam).flatMap((pools) => pools[0]?.gateway ?? []);
}
