/** The container verbs of the engine, each in its own file. */
import type { EngineContext } from '../context.ts';
import type { ContainerService } from '../contract.ts';
import {
  containerChanges,
  exportContainer,
  readContainerArchive,
  statContainerPath,
  writeContainerArchive,
} from './archive.ts';
import { attachContainer } from './attach.ts';
import { createContainer } from './create.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { killContainer } from './kill.ts';
import { listContainers } from './list.ts';
import { containerLogs } from './logs.ts';
import { pauseContainer, unpauseContainer } from './pause.ts';
import { pruneContainers } from './prune.ts';
import { planRemove, removeContainer } from './remove.ts';
import { renameContainer } from './rename.ts';
import { resizeContainer } from './resize.ts';
import { restartContainer } from './restart.ts';
import { startContainer } from './start.ts';
import { containerStats } from './stats.ts';
import { planStop, stopContainer } from './stop.ts';
import { inspectContainer } from './summary.ts';
import { topContainer } from './top.ts';
import { updateContainer } from './update.ts';
import { waitContainer } from './wait.ts';

export function createContainerService(context: EngineContext): ContainerService {
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
