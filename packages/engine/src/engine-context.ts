/**
 * The dependencies of all operations of the engine: adapters, settings, and in-memory state (indexes, output captures,
 * timers). One value, created by engine.ts; nothing here is global.
 */
import type { Clock, KeyedQueue, Logger } from '@netyard/core';
import type { LinkStatistics } from '@netyard/kernel';
import type { Networks } from '@netyard/sandbox';
import type { BackgroundDeletions } from './containers/background-deletions.ts';
import type { HealthMonitors } from './containers/healthcheck.ts';
import type { RestartTimers } from './containers/restart-timers.ts';
import type { StdinPipes } from './containers/stdin.ts';
import type { Waiters } from './containers/waiters.ts';
import type { EventLog } from './events/event-log.ts';
import type { ExecRegistry } from './exec/exec-registry.ts';
import type { Images } from './images/image-service.ts';
import type { LogReader } from './logs/log-reader.ts';
import type { Outputs } from './logs/outputs.ts';
import type { RequestActivity } from './logs/request-activity.ts';
import type { RootFilesystems, Runtime } from './ports.ts';
import type { ContainerIndex } from './records/container-index.ts';
import type { EngineSettings, PipeFiles } from './settings.ts';
import type { Subpaths } from './volumes/subpaths.ts';
import type { VolumeIndex } from './volumes/volume-index.ts';
import type { VolumeMounts } from './volumes/volume-mounts.ts';

export interface EngineContext {
  readonly runtime: Runtime;
  readonly rootfs: RootFilesystems;
  readonly networks: Networks;
  readonly images: Images;
  readonly files: PipeFiles;
  readonly linkStatistics: (link: string, ns?: string) => Promise<LinkStatistics>;
  readonly settings: EngineSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly index: ContainerIndex;
  readonly volumes: VolumeIndex;
  readonly volumeMounts: VolumeMounts;
  readonly subpaths: Subpaths;
  readonly events: EventLog;
  readonly requests: RequestActivity;
  readonly outputs: Outputs;
  readonly logs: LogReader;
  readonly stdin: StdinPipes;
  readonly execs: ExecRegistry;
  readonly waiters: Waiters;
  readonly restarts: RestartTimers;
  readonly backgroundDeletions: BackgroundDeletions;
  readonly health: HealthMonitors;
  /** Why the state cannot be written at the moment; empty if it can. */
  readonly stateProblems: () => string[];
  /** Serializes state changes per container. */
  readonly queue: KeyedQueue;
}
