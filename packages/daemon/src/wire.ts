/** The composition root: every box is opened here, in the order in which they stand on one another. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, systemClock, type UndoStack, withUndo } from '@netyard/core';
import { createApiServer, type DaemonInfo } from '@netyard/docker-api';
import { createImageService, type Engine, type EngineSettings, openEngine } from '@netyard/engine';
import { type Kernel, makeFifo, openFifo, openKernel, punchHole } from '@netyard/kernel';
import { type Networks, type NetworkSettings, openNetworks } from '@netyard/network';
import {
  connectContainerd,
  openImageContent,
  openRegistry,
  openRootFilesystems,
  openRuntime,
  superviseContainerd,
} from '@netyard/runtime';
import { openStore, type Store } from '@netyard/store';
import type { DaemonConfig } from './config.ts';
import { readCgroupVersion, readHostFacts } from './host-facts.ts';
import { type Listeners, listen } from './listen.ts';
import { takeLock } from './lock.ts';
import { shellPrinter } from './shell-printer.ts';

export interface RunningDaemon {
  addresses: string[];
  /** Ends it, containers too unless they outlive it. Goes on after a failure; returns all of them. */
  stop(): Promise<unknown[]>;
}

/** What is undone when starting fails is what is ended when the daemon ends: one stack serves both. */
export async function startDaemon(config: DaemonConfig, logger: Logger): Promise<RunningDaemon> {
  return await withUndo(async (opened) => {
    prepareFolders(config, opened);
    const kernel = openKernel({ logger });
    opened.push(() => kernel.close());
    const store = openStore(join(config.dataRoot, 'netyard.db'), { logger });
    opened.push(() => store.close());
    const { engine, networks } = await openBoxes({ config, logger, kernel, store, opened });
    await engine.start();
    opened.push(() => engine.stop({ stopContainers: !config.liveRestore }));
    const listeners = await openApi(config, logger, { engine, networks, info: readHostFacts(config) });
    opened.push(() => listeners.close());
    return { addresses: listeners.addresses, stop: endOf(opened) };
  });
}
