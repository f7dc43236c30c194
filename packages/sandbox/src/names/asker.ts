/** What a container's endpoints mean for names: those it has, and those it can ask for. Pure. */
import type { Asker, EndpointNames } from '@netyard/dns';
import { valuesOf } from '@netyard/network';
import type { EndpointConfig, EndpointState, SandboxConfig, SandboxState } from '../contract.ts';
import { parseLink } from '../links/parse.ts';
import { networkOfMode } from '../modes.ts';

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

/** Networks are searched in the order in which their gateways are preferred: priority, not internal, name. */
export function askerOf(
  config: SandboxConfig,
  state: SandboxState | undefined,
  facts: { project: string | undefined; isInternal: (networkId: string) => boolean },
): Asker {
  const order = namedEndpoints(state).toSorted(
    (a, b) =>
      (b.config.gatewayPriority ?? 0) - (a.config.gatewayPriority ?? 0) ||
      Number(facts.isInternal(a.networkId)) - Number(facts.isInternal(b.networkId)) ||
      (a.networkName < b.networkName ? -1 : 1),
  );
  const networks = order.map(({ networkId: id, networkName: name, config: endpoint }) => ({
    ...{ id, name },
    aliases: linkAliases(config, { ...endpoint, network: name }),
  }));
  return { networks, project: facts.project };
}

/**
 * Aliases of `--link` on one user-defined network. Links of the container itself are those of its mode's network. As in
 * Docker, a target is a name on that network; it need not exist.
 */
export function linkAliases(
  { mode, links }: Pick<SandboxConfig, 'mode' | 'links'>,
  endpoint: Pick<EndpointConfig, 'network' | 'links'>,
): Map<string, string> {
  const ofMode = mode.kind === 'network' && networkOfMode(mode) === endpoint.network ? links : [];
  const parsed = [...ofMode, ...(endpoint.links ?? [])].map(parseLink);
  return new Map(parsed.map(({ target, alias }) => [alias.toLowerCase(), target]));
}
