/** Samples a container's counters once, for `docker stats`. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '@netyard/core';
import type { LinkStatistics } from '@netyard/kernel';
import type { Networks } from '@netyard/sandbox';
import type { ContainerStats } from '../contract.ts';
import type { ContainerRecord } from '../model.ts';
import type { Runtime } from '../ports.ts';
import { type ContainerIndex, hasEnded, hasProcess } from '../records/container-index.ts';

/** What the functions of this file work on. */
export interface StatsDependencies {
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly linkStatistics: (link: string, ns?: string) => Promise<LinkStatistics>;
  readonly clock: Clock;
  readonly index: ContainerIndex;
}

/** USER_HZ, which is 100 on every architecture Linux runs containers on; see time(7). */
const nanosecondsPerTick = 10_000_000;

export async function containerStats(context: StatsDependencies, ref: string): Promise<ContainerStats> {
  const record = context.index.get(ref);
  const [counters, stat] = await Promise.all([processCounters(context, record), readFile('/proc/stat', 'utf8')]);
  return {
    id: record.id,
    name: record.name,
    read: context.clock.now(),
    ...parseHostCpu(stat),
    ...counters,
  };
}

/** Empty for a container without a process, also when the process ends while its files and interfaces are read. */
async function processCounters(
  context: StatsDependencies,
  record: ContainerRecord,
): Promise<Pick<ContainerStats, 'metrics' | 'networks'>> {
  const none = { metrics: undefined, networks: {} };
  if (!hasProcess(record)) return none;
  try {
    const [metrics, networks] = await Promise.all([
      context.runtime.metrics(record.id),
      networkCounters(context, record),
    ]);
    return { metrics, networks };
  } catch (error) {
    const now = context.index.byId(record.id);
    if (hasEnded(error) || now?.state.pid !== record.state.pid) return none;
    throw error;
  }
}

/** By interface name inside the container: rx is what the container received. */
async function networkCounters(
  context: StatsDependencies,
  record: ContainerRecord,
): Promise<ContainerStats['networks']> {
  const state = context.networks.state(record.id);
  if (!state?.netnsPath) return {};
  const counted = state.endpoints
    .filter(({ link }) => link !== '')
    .map(async ({ link }) => {
      const counters = await context.linkStatistics(link, state.netnsPath);
      return [link, counters] as const;
    });
  return Object.fromEntries(await Promise.all(counted));
}

/**
 * `systemCpu`: nanoseconds that all CPUs of the host spent busy or idle: user, nice, system, idle, iowait, irq, softirq;
 * proc(5). The CPUs that are online are in the same file; os.cpus() reads several files for each.
 */
export function parseHostCpu(stat: string): { systemCpu: number; onlineCpus: number } {
  const [line = '', ...others] = stat.split('\n');
  const ticks = line.trim().split(/\s+/).slice(1, 8).map(Number);
  return {
    systemCpu: ticks.reduce((sum, value) => sum + value, 0) * nanosecondsPerTick,
    onlineCpus: others.filter((other) => /^cpu\d/.test(other)).length,
  };
}
