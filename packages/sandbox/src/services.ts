/** Interfaces of the package's long-lived services, as its operations use them. Types only. */
import type { RemoteDirectory } from './contract.ts';
import type { NameServerFailure } from './inspection/report.ts';

/** Published names and name servers of containers; see operations/name-service.ts. */
export interface ContainerNames {
  /** Names of all hosts; undefined without a cluster. */
  readonly directory: RemoteDirectory | undefined;
  start(): Promise<void>;
  close(): void;
  /** Called after a container was started, stopped, renamed or readdressed. `ownerId`: owner of the joined namespace. */
  update(containerId: string, ownerId?: string): void;
  /** Name servers that could not be opened; they are tried again. */
  failures(): readonly NameServerFailure[];
}

/** Repairs in containers' namespaces; see operations/namespace-reconciler.ts. */
export interface NamespaceRepairs {
  start(): void;
  close(): Promise<void>;
  /** Called after a container was started or stopped, or its namespace joined. */
  updateWatch(containerId: string): void;
  /** See `Networks.holdWatch`. */
  holdWatch(containerId: string): () => void;
  /** The `--sysctl` settings as read after the start. */
  settingsOf(containerId: string): ReadonlyMap<string, string>;
}
