/** The container verbs of the engine, each in its own file. */
import type { ContainerService } from '../contract.ts';
import { parseDetachKeys } from '../processes/detach-keys.ts';
import type { ArchiveDependencies } from './archive.ts';
import {
  containerChanges,
  exportContainer,
  readContainerArchive,
  statContainerPath,
  writeContainerArchive,
} from './archive.ts';
import type { AttachDependencies } from './attach.ts';
import { attachContainer } from './attach.ts';
import type { CreateDependencies } from './create.ts';
import { createContainer } from './create.ts';
import type { KillDependencies } from './kill.ts';
import { killContainer } from './kill.ts';
import type { ListDependencies } from './list.ts';
import { listContainers } from './list.ts';
import type { LogsDependencies } from './logs.ts';
import { containerLogs } from './logs.ts';
import type { PauseDependencies } from './pause.ts';
import { pauseContainer, unpauseContainer } from './pause.ts';
import type { PruneDependencies } from './prune.ts';
import { pruneContainers } from './prune.ts';
import type { RemoveDependencies } from './remove.ts';
import { planRemove, removeContainer } from './remove.ts';
import type { RenameDependencies } from './rename.ts';
import { renameContainer } from './rename.ts';
import type { ResizeDependencies } from './resize.ts';
import { resizeContainer } from './resize.ts';
import type { RestartDependencies } from './restart.ts';
import { restartContainer } from './restart.ts';
import type { StartDependencies } from './start.ts';
import { startContainer } from './start.ts';
import type { StatsDependencies } from './stats.ts';
import { containerStats } from './stats.ts';
import type { StopDependencies } from './stop.ts';
import { planStop, stopContainer } from './stop.ts';
import type { SummaryDependencies } from './summary.ts';
import { inspectContainer } from './summary.ts';
import type { TopDependencies } from './top.ts';
import { topContainer } from './top.ts';
import type { UpdateDependencies } from './update.ts';
import { updateContainer } from './update.ts';
import type { WaitDependencies } from './wait.ts';
import { waitContainer } from './wait.ts';

/** What the functions of this file work on. */
export type ContainersServiceDependencies = ArchiveDependencies &
  AttachDependencies &
  CreateDependencies &
  KillDependencies &
  ListDependencies &
  LogsDependencies &
  PauseDependencies &
  PruneDependencies &
  RemoveDependencies &
  RenameDependencies &
  ResizeDependencies &
  RestartDependencies &
  StartDependencies &
  StatsDependencies &
  StopDependencies &
  SummaryDependencies &
  TopDependencies &
  UpdateDependencies &
  WaitDependencies;

export function createContainerService(context: ContainersServiceDependencies): ContainerService {
  return {
    create: (request) => createContainer(context, request),
    async start(ref, options) {
      parseDetachKeys(options?.detachKeys);
      await startContainer(context, ref);
    },
    stop: (ref, options) => stopContainer(context, ref, options),
    planStop: (ref, options) => planStop(context, ref, options),
    restart: (ref, options) => restartContainer(context, ref, options),
    kill: (ref, signal) => killContainer(context, ref, signal),
    pause: (ref) => pauseContainer(context, ref),
    unpause: (ref) => unpauseContainer(context, ref),
    rename: (ref, name) => renameContainer(context, ref, name),
    remove: (ref, options) => removeContainer(context, ref, options),
    planRemove: (ref, options) => planRemove(context, ref, options),
    wait: (ref, condition, signal) => waitContainer(context, ref, condition, signal),
    list: (options) => listContainers(context, options),
    inspect: (ref, options) => inspectContainer(context, ref, options),
    logs: (ref, options) => containerLogs(context, ref, options),
    attach: (ref, options) => attachContainer(context, ref, options),
    resize: (ref, rows, columns) => resizeContainer(context, ref, rows, columns),
    top: (ref, psArguments) => topContainer(context, ref, psArguments),
    stats: (ref) => containerStats(context, ref),
    changes: (ref) => containerChanges(context, ref),
    statPath: (ref, path) => statContainerPath(context, ref, path),
    readArchive: (ref, path) => readContainerArchive(context, ref, path),
    writeArchive: (ref, path, stream, options) => writeContainerArchive(context, ref, path, stream, options),
    export: (ref) => exportContainer(context, ref),
    update: (ref, change) => updateContainer(context, ref, change),
    prune: (filters) => pruneContainers(context, filters),
  };
}
