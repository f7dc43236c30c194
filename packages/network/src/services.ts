/** Long-lived services of the package as its operations see them. Types only. */
import type { RemoteDirectory } from './contract.ts';

/** The name servers inside containers' namespaces, and what this host publishes; see operations/names.ts. */
export interface ContainerNames {
  /** Names of all hosts; undefined without a cluster. */
  readonly directory: RemoteDirectory | undefined;
  start(): void;
  close(): void;
  /** After a container was started, stopped, renamed or got another address. `ownerId`: owner of the joined namespace. */
  settle(containerId: string, ownerId?: string): void;
}

/** The repairs inside containers' namespaces; see operations/inside.ts. */
export interface InsideRepairs {
  start(): void;
  close(): Promise<void>;
  /** After a container was started or stopped, or its namespace joined. */
  settle(containerId: string): void;
  /** The settings that `--sysctl` made, as they read after the start. */
  settingsOf(containerId: string): ReadonlyMap<string, string>;
}
