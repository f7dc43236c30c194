/**
 * `netyard system recover`: finds the data root, prevents daemons from using it meanwhile, and rebuilds its database.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NetyardError } from '@netyard/core';
import { type RecoverReport, recoverState } from '@netyard/store';
import { type DaemonConfig, planConfig } from './config.ts';
import { takeLock } from './lock.ts';
import { readConfigFile } from './main.ts';

export interface RecoverRequest {
  /** '': from the configuration file, or the default. */
  dataRoot: string;
  configFile: string;
  dryRun: boolean;
}

/**
 * Throws `conflict` while a daemon runs, `not-found` for a directory that does not exist. A dry run takes no lock: it
 * reads a copy of the database.
 */
export async function recoverDataRoot({ dryRun, ...request }: RecoverRequest): Promise<RecoverReport> {
  const { dataRoot } = findConfig(request);
  if (!existsSync(dataRoot)) throw new NetyardError('not-found', `no such data root: ${dataRoot}`);
  if (dryRun) return recoverState(dataRoot, { dryRun });
  const lock = takeLock(join(dataRoot, 'daemon.lock'), dataRoot);
  try {
    return recoverState(dataRoot, { dryRun });
  } finally {
    lock.release();
  }
}

/** The daemon's configuration as far as its file and the data root determine it. */
export function findConfig({ dataRoot, configFile }: Omit<RecoverRequest, 'dryRun'>): DaemonConfig {
  const file = readConfigFile(configFile === '' ? undefined : configFile);
  const flags = dataRoot === '' ? {} : { 'data-root': dataRoot };
  const { 'data-root': _, ...others } = file;
  return planConfig(flags, dataRoot === '' ? file : others, process.env);
}
