/**
 * Container create: validates the config, resolves link targets, reserves static addresses and link names, and stores
 * them in one transaction. Changes nothing in the kernel.
 */
import { isNetyardError, NetyardError } from '@netyard/core';
import type { Kernel } from '@netyard/kernel';
import type { Capabilities } from '@netyard/network';
import {
  checkPortRequest,
  driverOf,
  type ForeignRulesDependencies,
  findSettingProblems,
  foreignWarnings,
  NetworkPools,
  valuesOf,
  withCanonicalAddresses,
} from '@netyard/network';
import type {
  ContainerDirectory,
  EndpointConfig,
  LinkRecord,
  NetworkRecord,
  NetworkSettings,
  NetworkStore,
  SandboxConfig,
} from '../contract.ts';
import { checkHostname } from '../files/hostname.ts';
import { parseExtraHost } from '../files/hosts.ts';
import { checkResolvConfOptions } from '../files/resolv-conf.ts';
import type { LinkIndex } from '../links/index.ts';
import { parseLink } from '../links/parse.ts';
import { bridgeOf, capabilitiesOfNamed, networkOf, type Sandbox, sandboxOf } from '../lookup.ts';
import { checkModeConflicts, hasLegacyLinks, networkOfMode } from '../modes.ts';
import { checkPublishable, isPublishable } from '../names/published-name.ts';
import { isInterfaceName, requestedName } from '../plan/interface-names.ts';
import type { ContainerNames } from '../services.ts';
import { attachDangling, type LinkTargetsDependencies, resolveLinks } from './link-targets.ts';
import type { RemoteLinks } from './remote-links.ts';
import { hostGateways, type SandboxPlanDependencies } from './sandbox-plan.ts';
import { applyStaticRelease, planStaticRelease, reserveStatic, storeStaticRelease } from './static-addresses.ts';

/** Dependencies of the functions in this file. */
export interface RegisterDependencies
  extends ForeignRulesDependencies,
    LinkTargetsDependencies,
    SandboxPlanDependencies {
  readonly kernel: Kernel;
  readonly store: NetworkStore;
  readonly containers: ContainerDirectory;
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly sandboxes: Map<string, Sandbox>;
  readonly links: LinkIndex;
  readonly dangling: Set<LinkRecord>;
  readonly pools: Map<string, NetworkPools>;
  readonly names: ContainerNames;
  readonly remoteLinks: Pick<RemoteLinks, 'find' | 'reconcile'>;
}

export async function register(
  context: RegisterDependencies,
  requested: SandboxConfig,
): Promise<{ warnings: string[] }> {
  if (context.sandboxes.has(requested.containerId))
    throw new NetyardError('conflict', `container ${requested.containerId} is already registered`);
  const warnings = checkModeConflicts({ ...requested, exposed: requested.requestedExposed ?? [] });
  checkTexts(context, requested);
  const config = normalise(context, requested);
  for (const endpoint of config.endpoints)
    checkEndpoint(context, endpoint, `invalid config for network ${endpoint.network}: `);
  checkTogether(context, config);
  const links = hasLegacyLinks(config.mode) ? await resolveLinks(context, config) : [];
  warnings.push(...checkPublishing(context, config), ...portWarnings(context, config));
  if (config.endpoints.some((endpoint) => endpoint.network === 'bridge') && !(await isForwarding(context)))
    warnings.push('IPv4 forwarding is disabled. Networking will not work.');
  if (config.mode.kind !== 'host' && config.mode.kind !== 'none') warnings.push(...foreignWarnings(context));
  commit(context, config, links);
  return { warnings };
}

/** Rejects a requested name that cannot be published, and warns about a request without effect. */
function checkPublishing(context: RegisterDependencies, config: SandboxConfig): string[] {
  if (config.publishName !== true) {
    const skipped = context.names.directory && asksByDefault(context, config) && !isPublishable(config.name);
    return skipped ? [`The name ${config.name} is not published: other hosts could not resolve it.`] : [];
  }
  checkPublishable(config.name);
  if (!context.names.directory) return ['The name is not published: this daemon has no --cluster.'];
  if (hasLegacyLinks(config.mode) && config.mode.kind !== 'none') return [];
  return ['The name is not published: the container has no address on the default bridge.'];
}

/** Warns about requested ports that the modes of the container's networks leave without effect. */
export function portWarnings(
  context: RegisterDependencies,
  { ports, publishAll, endpoints }: Pick<SandboxConfig, 'ports' | 'publishAll' | 'endpoints'>,
): string[] {
  const bridges = endpoints.flatMap(({ network }) => {
    const record = [...context.networks.values()].find(({ name }) => name === network);
    return (record && bridgeOf(context, record.id)) ?? [];
  });
  if ((ports.length === 0 && !publishAll) || bridges.length === 0) return [];
  const outward = bridges.filter(({ internal }) => !internal);
  if (outward.length === 0) return ['Published ports are discarded: the network is internal'];
  const isRouted = outward.every(({ v4 }) => v4?.gatewayMode === 'routed');
  return isRouted && ports.some(({ hostPort }) => hostPort !== undefined && hostPort !== 0)
    ? ["Host ports are discarded: the network is routed, so ports are published at the container's address"]
    : [];
}

const asksByDefault = (context: RegisterDependencies, config: SandboxConfig): boolean =>
  config.publishName === undefined && context.settings.publishNames === true && networkOfMode(config.mode) === 'bridge';

function checkTexts(context: RegisterDependencies, config: SandboxConfig): void {
  checkHostname(config.hostname);
  checkHostname(config.domainname ?? '');
  for (const text of config.extraHosts) parseExtraHost(text, hostGateways(context));
  checkResolvConfOptions(config);
  if (!hasLegacyLinks(config.mode)) for (const text of config.links) parseLink(text);
  for (const port of config.ports) checkPortRequest(port);
}

/**
 * Replaces a found `container:` target by its id. The mode's network applies if no endpoints are requested, as in Docker;
 * in mode host or none it is always among them.
 */
function normalise(context: RegisterDependencies, config: SandboxConfig): SandboxConfig {
  const { mode } = config;
  if (mode.kind === 'container') {
    rejectSharedSettings(mode.ref, config.endpoints);
    return { ...config, mode: { ...mode, ref: context.containers.find(mode.ref) ?? mode.ref }, endpoints: [] };
  }
  const named = config.endpoints.map((endpoint) =>
    withCanonicalAddresses({ ...endpoint, network: nameOf(context, endpoint.network) }),
  );
  const primary = nameOf(context, networkOfMode(mode) ?? 'none');
  const repeated = named.find(({ network }, index) => named.findIndex((other) => other.network === network) < index);
  if (repeated)
    throw new NetyardError('invalid', `network ${JSON.stringify(repeated.network)} is specified multiple times`);
  const isOnly = mode.kind === 'host' || mode.kind === 'none';
  const has = isOnly ? named.some(({ network }) => network === primary) : named.length > 0;
  return { ...config, endpoints: has ? named : [{ network: primary }, ...named] };
}

/** A container that shares a namespace has no endpoints of its own: addresses and aliases would have no effect. */
function rejectSharedSettings(ref: string, endpoints: readonly EndpointConfig[]): void {
  const problems = [
    ...(endpoints.some(({ addresses }) => valuesOf(addresses).length > 0) ? [addressProblem] : []),
    ...(endpoints.some(({ aliases = [] }) => aliases.length > 0) ? [aliasProblem] : []),
  ];
  if (problems.length > 0) throw invalidSettings(problems, `invalid config for network container:${ref}: `);
}

const addressProblem = 'user-specified IP address is supported on user-defined networks only';
const aliasProblem = 'network-scoped aliases are only supported for user-defined networks';

function invalidSettings(problems: readonly string[], prefix: string): NetyardError {
  const list = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
  return new NetyardError('invalid', `${prefix}invalid endpoint settings:\n${list.join('\n')}`);
}

/** Some drivers allow no other network. Docker's messages of `network connect`. */
export function checkTogether(
  context: Pick<RegisterDependencies, 'networks'>,
  { mode, endpoints }: SandboxConfig,
): void {
  const has = (test: (capabilities: Capabilities) => boolean): boolean =>
    endpoints.some(({ network }) => {
      const capabilities = capabilitiesOfNamed(context, network);
      return capabilities !== undefined && test(capabilities);
    });
  const reject = (message: string): never => {
    throw new NetyardError('invalid', message);
  };
  if (mode.kind !== 'host' && has(({ hostNamespace }) => hostNamespace))
    reject('cannot connect container to host network - container must be created in host network mode');
  if (endpoints.length < 2) return;
  if (mode.kind === 'host')
    reject(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (has(({ otherNetworks }) => !otherNetworks))
    reject('container cannot be connected to multiple networks with one of the networks in private (none) mode');
}

/** A network's name for a name, id or `default`; unknown references are kept: `start` rejects them. */
function nameOf(context: RegisterDependencies, ref: string): string {
  try {
    return networkOf(context, ref).name;
  } catch (error) {
    if (isNetyardError(error, 'not-found')) return ref;
    throw error;
  }
}

/**
 * Docker's checks of endpoint settings: aliases are valid for user-defined networks only, and static addresses for these
 * and, other than in Docker, for the default bridge.
 * @param prefix of the message: Docker has one when a container is created
 */
export function checkEndpoint(context: RegisterDependencies, endpoint: EndpointConfig, prefix = ''): void {
  for (const text of endpoint.links ?? []) parseLink(text);
  const name = requestedName(endpoint);
  if (name !== undefined && !isInterfaceName(name))
    throw new NetyardError('invalid', `invalid interface name: ${name}`);
  const record = [...context.networks.values()].find((network) => network.name === endpoint.network);
  const problems = record ? endpointProblems(context, record.id, endpoint) : [];
  if (problems.length > 0) throw invalidSettings(problems, prefix);
}

function endpointProblems(context: RegisterDependencies, networkId: string, endpoint: EndpointConfig): string[] {
  const pools = context.pools.get(networkId) ?? new NetworkPools({});
  const record = context.networks.get(networkId);
  if (!record?.predefined) return findSettingProblems(endpoint, pools);
  const problems: string[] = [];
  const hasAddresses = driverOf(record).capabilities.addresses;
  if (valuesOf(endpoint.addresses).length > 0 && !hasAddresses) problems.push(addressProblem);
  if ((endpoint.aliases ?? []).length > 0) problems.push(aliasProblem);
  return [...problems, ...findSettingProblems(endpoint, hasAddresses ? pools : 'any')];
}

async function isForwarding(context: RegisterDependencies): Promise<boolean> {
  return (await context.kernel.readSysctl('net.ipv4.ip_forward')).trim() === '1';
}

function commit(context: RegisterDependencies, config: SandboxConfig, links: readonly LinkRecord[]): void {
  const sandbox: Sandbox = { config, state: undefined };
  const reserved = reserveStatic(context, config);
  const attached = attachDangling(context, config);
  try {
    context.store.transaction(() => {
      context.store.putSandbox(config);
      for (const { networkId, address } of reserved) context.store.putLease(networkId, address, config.containerId);
      for (const { before, after } of attached) {
        context.store.deleteLink(before);
        context.store.putLink(after);
      }
      for (const link of links) context.store.putLink(link);
    });
  } catch (error) {
    for (const { networkId, address } of reserved) context.pools.get(networkId)?.free(address, config.containerId);
    throw error;
  }
  context.sandboxes.set(config.containerId, sandbox);
  for (const { before, after } of attached) {
    context.dangling.delete(before);
    context.links.put(after);
  }
  for (const link of links) context.links.put(link);
  if (links.some(({ remote }) => remote)) context.remoteLinks.reconcile();
}

/** Deletes a container's config, static addresses and links. Those to it become dangling until its name is used again. */
export function unregister(context: RegisterDependencies, containerId: string): void {
  const { config } = sandboxOf(context, containerId);
  const own = context.links.ofParent(containerId);
  const released = planStaticRelease(context, config);
  context.store.transaction(() => {
    context.store.deleteSandbox(containerId);
    storeStaticRelease(context.store, released);
    for (const link of own) context.store.deleteLink(link);
  });
  applyStaticRelease(context, containerId, released);
  for (const link of own) {
    context.links.delete(link);
    context.dangling.delete(link);
  }
  for (const link of context.links.ofChild(containerId)) context.dangling.add(link);
  context.sandboxes.delete(containerId);
  context.names.update(containerId);
  context.remoteLinks.reconcile();
}
