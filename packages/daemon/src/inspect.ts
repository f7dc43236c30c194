/** `netyard doctor`: inspects the recorded state of a host, and its network when no daemon does. Changes nothing. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@netyard/core';
import { openKernel } from '@netyard/kernel';
import { type HostCheck, openNetworks } from '@netyard/sandbox';
import { inspectState, type Store, withStateCopy } from '@netyard/store';
import type { DaemonConfig } from './config.ts';
import { isLockHeld } from './lock.ts';
import { findConfig } from './recover.ts';
import { networkSettings } from './wire.ts';

export interface InspectRequest {
  /** '': from the configuration file, or the default. */
  dataRoot: string;
  configFile: string;
  /** A daemon answers, and inspects the network itself. */
  daemonAnswers: boolean;
}

export async function inspectDataRoot({ daemonAnswers, ...request }: InspectRequest): Promise<HostCheck[]> {
  const config = findConfig(request);
  const { dataRoot } = config;
  if (!existsSync(dataRoot))
    return [{ id: 'database', grade: 'info', text: `no data root: ${dataRoot} does not exist` }];
  const daemonRuns = daemonAnswers || isLockHeld(join(dataRoot, 'daemon.lock'));
  const state = await inspectState(dataRoot, { daemonRuns });
  if (daemonAnswers) return state;
  if (daemonRuns) return [notAnswering(dataRoot), ...state];
  return [notRunning, ...((await withStateCopy(dataRoot, (store) => inspectNetwork(config, store))) ?? []), ...state];
}

const notRunning: HostCheck = {
  id: 'daemon',
  grade: 'info',
  text: 'it does not run: nothing is repaired, names of containers are not resolved',
  fix: 'start it: netyard daemon',
};

const notAnswering = (dataRoot: string): HostCheck => ({
  id: 'daemon',
  grade: 'warning',
  text: `a daemon uses ${dataRoot}, but does not answer: the network is not inspected`,
  fix: 'name its socket with -H, or wait until it is ready',
});

async function inspectNetwork(config: DaemonConfig, store: Store): Promise<HostCheck[]> {
  const kernel = openKernel();
  try {
    const networks = openNetworks({
      kernel,
      store,
      containers: { find: () => undefined, info: () => undefined },
      settings: networkSettings(config),
      logger: silentLogger,
      clock: systemClock,
    });
    try {
      return await networks.inspect();
    } finally {
      await networks.close();
    }
  } finally {
    kernel.close();
  }
}
