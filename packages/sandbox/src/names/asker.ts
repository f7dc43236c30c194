/** What a container's endpoints mean for names: those it has, and those it can ask for. Pure. */
import type { Asker, EndpointNames } from '@netyard/dns';
import { valuesOf } from '@netyard/network';
import type { EndpointState, SandboxConfig, SandboxState } from '../contract.ts';
import { parseLink } from '../links/parse.ts';

/** Endpoints on user-defined networks: only these have names. */
export const namedEndpoints = (state: SandboxState | undefined): EndpointState[] =>
  (state?.endpoints ?? []).filter(({ dnsNames }) => dnsNames.length > 0);

export function endpointNames(containerId: string, state: SandboxState | undefined): EndpointNames[] {
  return namedEndpoints(state).map(({ networkId, dnsNames, addresses }) => ({
    containerId,
    network: networkId,
    names: dnsNames,
    addresses: valuesOf(addresses).map(({ address }) => address),
  }));
}

/** Networks are searched in the order in which their gateways are preferred: priority, not internal, both families, name. */
export function askerOf(
  config: SandboxConfig,
  state: SandboxState | undefined,
  facts: { project: string | undefined; isInternal: (networkId: string) => boolean },
): Asker {
  const order = namedEndpoints(state).toSorted(
    (a, b) =>
      (b.config.gatewayPriority ?? 0) - (a.config.gatewayPriority ?? 0) ||
      Number(facts.isInternal(a.networkId)) - Number(facts.isInternal(b.networkId)) ||
      valuesOf(b.addresses).length - valuesOf(a.addresses).length ||
      (a.networkName < b.networkName ? -1 : 1),
  );
  const ofMode = modeEndpoint(config, order);
  const networks = order.map((endpoint) => ({
    id: endpoint.networkId,
    name: endpoint.networkName,
    aliases: linkAliases([...(endpoint === ofMode ? config.links : []), ...(endpoint.config.links ?? [])]),
  }));
  return { networks, project: facts.project };
}

/** The endpoint on the network of the container's mode, which may be a name, an id or a part of one. */
function modeEndpoint({ mode }: SandboxConfig, endpoints: readonly EndpointState[]): EndpointState | undefined {
  if (mode.kind !== 'network') return undefined;
  const { ref } = mode;
  return (
    endpoints.find(({ networkName }) => networkName === ref) ??
    endpoints.find(({ networkId }) => networkId.startsWith(ref))
  );
}

/**
 * Aliases of `--link` on one user-defined network, those of the container itself on the network of its mode. As in Docker,
 * a target is a name on that network; it need not exist.
 */
const linkAliases = (links: readonly string[]): Map<string, string> =>
  new Map(links.map(parseLink).map(({ target, alias }) => [alias.toLowerCase(), target]));
