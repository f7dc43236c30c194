/** Allocates the endpoints of containers: chooses interface name and DNS names, and leaves the rest to endpoints/. */
import { shortId } from '@netyard/core';
import { allocateEndpoint, type EndpointDependencies } from '@netyard/network';
import type { EndpointConfig, EndpointState, SandboxConfig } from '../contract.ts';
import { hostnameOf } from './sandbox-plan.ts';

/** As `allocateEndpoint`; `others` are the container's endpoints so far. */
export function allocateContainerEndpoint(
  context: EndpointDependencies,
  sandbox: SandboxConfig,
  config: EndpointConfig,
  others: readonly EndpointState[],
): EndpointState {
  const names = dnsNames(sandbox, config.aliases ?? []);
  return allocateEndpoint(context, { ownerId: sandbox.containerId, config, link: chooseLinkName(others), names });
}

/** Names under which the embedded DNS resolves an endpoint; the first one is used for the PTR record. */
export function dnsNames(config: SandboxConfig, aliases: readonly string[]): string[] {
  return [...new Set([config.name, ...aliases, shortId(config.containerId), hostnameOf(config)])];
}

function chooseLinkName(others: readonly EndpointState[]): string {
  const used = new Set(others.map((endpoint) => endpoint.link));
  for (let index = 0; ; index += 1) if (!used.has(`eth${index}`)) return `eth${index}`;
}
