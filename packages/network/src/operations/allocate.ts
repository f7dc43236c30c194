/** What a container takes in memory when it starts, and gives back when it stops or when starting failed. */
import { join } from 'node:path';
import { newId } from '@netyard/core';
import type {
  EndpointState,
  NetworkRecord,
  NetworkSettings,
  PublishedPort,
  SandboxConfig,
  SandboxState,
} from '../contract.ts';
import { networkOf } from '../lookup.ts';
import { netnsName } from '../object-names.ts';
import type { PortTable } from '../ports/table.ts';
import type { EndpointDependencies } from './endpoint.ts';
import { allocateEndpoint, freeEndpoint } from './endpoint.ts';
import type { PortsDependencies } from './ports.ts';
import { publishPorts } from './ports.ts';

/** What the functions of this file work on. */
export interface AllocateDependencies extends EndpointDependencies, PortsDependencies {
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly ports: PortTable;
}

/** Takes addresses, link names and ports in memory; synchronous, so that nobody comes in between. */
export function allocateSandbox(context: AllocateDependencies, config: SandboxConfig): SandboxState {
  const endpoints: EndpointState[] = [];
  const ports: PublishedPort[] = [];
  const isHost = config.mode.kind === 'host';
  const state: SandboxState = {
    id: newId(),
    ...(isHost ? {} : { netnsPath: join(context.settings.netnsDirectory, netnsName(config.containerId)) }),
    files: filePaths(config.filesDirectory),
    endpoints,
    ports,
  };
  try {
    for (const endpoint of config.endpoints)
      endpoints.push(allocateEndpoint(context, config, withNetwork(context, endpoint), endpoints));
    publishPorts(context, config, state);
    return state;
  } catch (error) {
    freeSandbox(context, config, state);
    throw error;
  }
}

function withNetwork<T extends { network: string }>(context: AllocateDependencies, endpoint: T): T {
  return { ...endpoint, network: networkOf(context, endpoint.network).name };
}

export const filePaths = (directory: string): SandboxState['files'] => ({
  hosts: join(directory, 'hosts'),
  hostname: join(directory, 'hostname'),
  resolvConf: join(directory, 'resolv.conf'),
});

/** Gives back in memory what `allocateSandbox` took. */
export function freeSandbox(context: AllocateDependencies, config: SandboxConfig, state: SandboxState): void {
  for (const port of state.ports) context.ports.release(port, config.containerId);
  for (const endpoint of state.endpoints) freeEndpoint(context, config.containerId, endpoint);
}
