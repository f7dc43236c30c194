/** The container operations of the engine, each in its own file. */
import type { ContainerService } from '../contract.ts';
import { parseDetachKeys } from '../processes/detach-keys.ts';
import {
  type ArchiveDependencies,
  containerChanges,
  exportContainer,
  readContainerArchive,
  statContainerPath,
  writeContainerArchive,
} from './archive.ts';
import { type AttachDependencies, attachContainer } from './attach.ts';
import { type CommitDependencies, commitContainer } from './commit.ts';
import { type CreateDependencies, createContainer } from './create.ts';
import { type KillDependencies, killContainer } from './kill.ts';
import { type ListDependencies, listContainers } from './list.ts';
import { containerLogs, type LogsDependencies } from './logs.ts';
import { type PauseDependencies, pauseContainer, unpauseContainer } from './pause.ts';
import { addPorts, type PortsDependencies, removePorts } from './ports.ts';
import { type PruneDependencies, pruneContainers } from './prune.ts';
import { planRemove, type RemoveDependencies, removeContainer } from './remove.ts';
import { type RenameDependencies, renameContainer } from './rename.ts';
import { type ResizeDependencies, resizeContainer } from './resize.ts';
import { type RestartDependencies, restartContainer } from './restart.ts';
import { type StartDependencies, startContainer } from './start.ts';
import { containerStats, type StatsDependencies } from './stats.ts';
import { planStop, type StopDependencies, stopContainer } from './stop.ts';
import { inspectContainer, type SummaryDependencies } from './summary.ts';
import { type TopDependencies, topContainer } from './top.ts';
import { type UpdateDependencies, updateContainer } from './update.ts';
import { type WaitDependencies, waitContainer } from './wait.ts';

/** What the functions of this file work on. */
export type ContainersServiceDependencies = ArchiveDependencies &
  AttachDependencies &
  CommitDependencies &
  CreateDependencies &
  KillDependencies &
  ListDependencies &
  LogsDependencies &
  PauseDependencies &
  PortsDependencies &
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
    addPorts: (ref, ports) => addPorts(context, ref, ports),
    removePorts: (ref, ports) => removePorts(context, ref, ports),
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
    commit: (ref, options, signal = new AbortController().signal) => commitContainer(context, ref, options, signal),
    export: (ref) => exportContainer(context, ref),
    update: (ref, change) => updateContainer(context, ref, change),
    prune: (filters) => pruneContainers(context, filters),
  };
}
