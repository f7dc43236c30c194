/** What one engine reports about itself, before it is joined with what the kernel reports. */
import type { HostContainer, HostEngine, HostNetwork } from '../model.ts';

export interface EngineContainer extends Omit<HostContainer, 'namespaceId'> {
  engine: Exclude<HostContainer['engine'], 'namespace'>;
  /** Where the engine says that the container's namespace is pinned. */
  sandboxPath?: string;
}

export interface EngineReport {
  engine: HostEngine;
  containers: EngineContainer[];
  networks: HostNetwork[];
}
