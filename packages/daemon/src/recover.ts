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

/** Throws `conflict` while a daemon runs, `not-found` for a directory that is no data root. */
export async function recoverDataRoot({ dataRoot, configFile, dryRun }: RecoverRequest): Promise<RecoverReport> {
  const file = readConfigFile(configFile === '' ? undefined : configFile);
  const flags = dataRoot === '' ? {} : { 'data-root': dataRoot };
  const { 'data-root': _, ...others } = file;
  const config: DaemonConfig = planConfig(flags, dataRoot === '' ? file : others, process.env);
  if (!existsSync(config.dataRoot)) throw new NetyardError('not-found', `no such data root: ${config.dataRoot}`);
  const lock = takeLock(join(config.dataRoot, 'daemon.lock'), config.dataRoot);
  try {
    return recoverState(config.dataRoot, { dryRun });
  } finally {
    lock.release();
  }
}
