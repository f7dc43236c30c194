/** What a starting container allocates in memory, and releases when it stops or when the start failed. */
import { join } from 'node:path';
import { newId } from '@netyard/core';
import type { PortTable } from '@netyard/network';
import { type EndpointDependencies, freeEndpoint, netnsName } from '@netyard/network';
import type {
  EndpointState,
  NetworkRecord,
  NetworkSettings,
  PublishedPort,
  SandboxConfig,
  SandboxState,
} from '../contract.ts';
import { allocateEndpoints } from './endpoint.ts';
import { type PortsDependencies, publishPorts } from './ports.ts';
import { type StaticAddressDependencies, takeFromStopped } from './static-addresses.ts';

/** Dependencies of the functions in this file. */
export interface AllocateDependencies extends EndpointDependencies, PortsDependencies, StaticAddressDependencies {
  readonly settings: NetworkSettings;
  readonly networks: Map<string, NetworkRecord>;
  readonly ports: PortTable;
}

/** Allocates addresses, interface names and ports in memory; synchronous, so that concurrent starts cannot interleave. */
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
    takeFromStopped(context, config);
    allocateEndpoints(context, config, endpoints);
    publishPorts(context, config, state);
    return state;
  } catch (error) {
    freeSandbox(context, config, state);
    throw error;
  }
}

export const filePaths = (directory: string): SandboxState['files'] => ({
  hosts: join(directory, 'hosts'),
  hostname: join(directory, 'hostname'),
  resolvConf: join(directory, 'resolv.conf'),
});

/** Releases in memory what `allocateSandbox` allocated. */
export function freeSandbox(context: AllocateDependencies, config: SandboxConfig, state: SandboxState): void {
  for (const port of state.ports) context.ports.release(port, config.containerId);
  for (const endpoint of state.endpoints) freeEndpoint(context, config.containerId, endpoint);
}
