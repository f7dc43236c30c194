/** dockerd's gauges and counters of the engine. Pure. */
import type { EngineCounters } from '@netyard/engine';
import { type Family, family, single } from './exposition.ts';

/** Facts that do not change while the daemon runs. */
export interface EngineFacts {
  version: string;
  commit: string;
  /** As Go names it: amd64. */
  architecture: string;
  graphDriver: string;
  kernel: string;
  /** Such as `Debian GNU/Linux 12 (bookworm)`. */
  os: string;
  osVersion: string;
  daemonId: string;
  cpus: number;
  memoryBytes: number;
}

/** The states of `docker info`: restarting containers count as running. */
const stateOf = (status: string): string =>
  status === 'running' || status === 'restarting' ? 'running' : status === 'paused' ? 'paused' : 'stopped';

/** @param statuses of all containers; undefined if they could not be listed */
export function engineFamilies(
  facts: EngineFacts,
  counters: EngineCounters,
  statuses: readonly string[] | undefined,
): Family[] {
  const daemon = 'engine_daemon_';
  const states = (statuses ?? []).map(stateOf);
  const info = {
    architecture: facts.architecture,
    commit: facts.commit,
    daemon_id: facts.daemonId,
    graphdriver: facts.graphDriver,
    kernel: facts.kernel,
    os: facts.os,
    os_type: 'linux',
    os_version: facts.osVersion,
    version: facts.version,
  };
  return [
    family(
      'gauge',
      `${daemon}container_states_containers`,
      'Containers by state.',
      statuses ? ['paused', 'running', 'stopped'] : [],
      (state) => [{ state }, states.filter((one) => one === state).length],
    ),
    single('gauge', `${daemon}engine_cpus_cpus`, 'CPUs of the host.', facts.cpus),
    family('gauge', `${daemon}engine_info`, 'The engine and its host.', [info], (labels) => [labels, 1]),
    single('gauge', `${daemon}engine_memory_bytes`, 'Memory of the host.', facts.memoryBytes),
    single('gauge', `${daemon}events_subscribers_total`, 'Present subscribers to events.', counters.eventSubscribers),
    single('counter', `${daemon}events_total`, 'Events of the engine.', counters.events),
    single(
      'counter',
      `${daemon}health_checks_failed_total`,
      'Health checks that failed, timed out or could not be run.',
      counters.failedHealthChecks,
    ),
    single('counter', `${daemon}health_checks_total`, 'Health checks of containers.', counters.healthChecks),
  ];
}
