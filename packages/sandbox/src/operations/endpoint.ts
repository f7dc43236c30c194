/** Allocates the endpoints of containers: chooses interface and DNS names, and leaves the rest to network's endpoints/. */
import { NetyardError, newId, shortId } from '@netyard/core';
import {
  allocateEndpoint,
  disablesIpv6,
  type EndpointDependencies,
  hostLinkName,
  networkOf,
  type PerFamily,
  perFamily,
} from '@netyard/network';
import type { EndpointConfig, EndpointState, FormerEndpoint, SandboxConfig } from '../contract.ts';
import { chooseInterfaceNames, isInterfaceName, orderEndpoints } from '../plan/interface-names.ts';
import { hasIpv6Disabled, hostnameOf } from './sandbox-plan.ts';

/** Allocates all endpoints of a container that starts, in the order of their interfaces; `allocated` gets them. */
export function allocateEndpoints(
  context: EndpointDependencies,
  sandbox: SandboxConfig,
  allocated: EndpointState[],
): void {
  const { formerEndpoints: former = [] } = sandbox;
  const named = sandbox.endpoints.map((endpoint) => ({
    ...endpoint,
    network: networkOf(context, endpoint.network).name,
  }));
  const requests = orderEndpoints(named, former).map((endpoint) => ({
    endpoint,
    networkOptions: networkOf(context, endpoint.network).options,
    former: former.find(({ network }) => network === endpoint.network),
  }));
  const links = chooseInterfaceNames(requests, []);
  requests.forEach((request, at) => {
    const options = { link: links[at] ?? '', addresses: request.former?.addresses ?? {} };
    allocated.push(allocateNamed(context, sandbox, request.endpoint, allocated, options));
  });
}

/** Allocates an endpoint for a running container; `others` are its endpoints so far. */
export function allocateContainerEndpoint(
  context: EndpointDependencies,
  sandbox: SandboxConfig,
  endpoint: EndpointConfig,
  others: readonly EndpointState[],
): EndpointState {
  const { options: networkOptions } = networkOf(context, endpoint.network);
  const [link = ''] = chooseInterfaceNames(
    [{ endpoint, networkOptions }],
    others.map((other) => other.link),
  );
  return allocateNamed(context, sandbox, endpoint, others, { link, addresses: {} });
}

/** `addresses` are used again unless the user requests others, or they are in use by now. */
function allocateNamed(
  context: EndpointDependencies,
  sandbox: SandboxConfig,
  config: EndpointConfig,
  others: readonly EndpointState[],
  { link, addresses }: { link: string; addresses: PerFamily<string> },
): EndpointState {
  const id = newId();
  if (!isInterfaceName(link)) throw new NetyardError('invalid', `invalid interface name: ${link}`);
  if (others.some((other) => other.link === link))
    throw new NetyardError('failed', `error renaming interface "${hostLinkName(id)}" to "${link}": file exists`);
  const names = dnsNames(sandbox, config.aliases ?? []);
  const common = { id, ownerId: sandbox.containerId, config, link, names, preferred: addresses };
  return allocateEndpoint(context, { ...common, withoutIpv6: hasIpv6Disabled(sandbox) || disablesIpv6(config) });
}

/** Names under which the embedded DNS resolves an endpoint; the first one is used for the PTR record. */
export function dnsNames(config: SandboxConfig, aliases: readonly string[]): string[] {
  return [...new Set([config.name, ...aliases, shortId(config.containerId), hostnameOf(config)])];
}

/** What the next start uses again: interface names, and automatic addresses on user-defined networks (moby#37634). */
export function formerEndpoints(
  context: Pick<EndpointDependencies, 'networks'>,
  endpoints: readonly EndpointState[],
): FormerEndpoint[] {
  return endpoints.map(({ networkId, networkName: network, link, addresses, config }) => {
    const isSticky = context.networks.get(networkId)?.predefined === false;
    return {
      ...{ network, link },
      addresses: perFamily((family) =>
        isSticky && config.addresses?.[family] === undefined ? addresses[family]?.address : undefined,
      ),
    };
  });
}
