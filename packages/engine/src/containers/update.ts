/** `docker update`: changes limits and restart policy of a container, running or stopped. */

import { errorCodeOf, type KeyedQueue, messageOf, NetyardError } from '@netyard/core';
import type { ContainerService } from '../contract.ts';
import { unlimited } from '../default-config.ts';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerRecord, Resources } from '../model.ts';
import type { Runtime } from '../ports.ts';
import { type ContainerIndex, hasProcess, passOverEnded } from '../records/container-index.ts';
import type { EngineSettings } from '../settings.ts';
import { checkResources, checkRestartPolicy } from './create-check.ts';
import { taskResources } from './task-spec.ts';
import { checkRealtime, discardUnsupported } from './unsupported-resources.ts';

/** What the functions of this file work on. */
export interface UpdateDependencies {
  readonly runtime: Runtime;
  readonly settings: EngineSettings;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly queue: KeyedQueue;
}

type Change = Parameters<ContainerService['update']>[1];

export async function updateContainer(
  context: UpdateDependencies,
  ref: string,
  change: Change,
): Promise<{ warnings: string[] }> {
  const warnings = checkChange(context, change);
  const { id } = context.index.get(ref);
  return context.queue.run(id, async () => {
    const record = context.index.get(id);
    try {
      await updateNow(context, record, change);
      return { warnings };
    } catch (error) {
      const code = errorCodeOf(error);
      throw new NetyardError(code, `Cannot update container ${id}: ${messageOf(error)}`, { cause: error });
    }
  });
}

async function updateNow(context: UpdateDependencies, record: ContainerRecord, change: Change): Promise<void> {
  const { status } = record.state;
  if (status === 'removing' || status === 'dead')
    throw new NetyardError('conflict', 'container is marked for removal and cannot be "update"');
  const asked = mergeResources(record.config.resources, change.resources);
  checkRealtime(asked, context.settings.cgroupVersion);
  const { resources } = discardUnsupported(asked, context.settings.cgroupVersion);
  const restartPolicy = change.restartPolicy ?? record.config.restartPolicy;
  if (record.config.autoRemove && restartPolicy.name !== 'no')
    throw new NetyardError(
      'invalid',
      'Restart policy cannot be updated because AutoRemove is enabled for the container',
    );
  if (hasProcess(record) && Object.keys(change.resources).length > 0)
    await context.runtime.update(record.id, changedLimits(record.config.resources, resources)).catch(passOverEnded);
  const updated = context.index.put({ ...record, config: { ...record.config, resources, restartPolicy } });
  publishContainer(context.events, updated, 'update');
}

/** Validates the request alone, as Docker does before it looks for the container. Returns warnings. */
function checkChange({ settings }: UpdateDependencies, { resources: changed, restartPolicy }: Change): string[] {
  const { resources, warnings } = discardUnsupported({ ...unlimited, ...changed }, settings.cgroupVersion);
  if (restartPolicy) checkRestartPolicy(restartPolicy);
  return [...warnings, ...checkResources(resources, true)];
}

/** Rejects a new memory limit above the existing swap limit, as Docker does. */
function mergeResources(present: Resources, change: Partial<Resources>): Resources {
  const merged = { ...present, ...change };
  const { memory, memorySwap } = merged;
  const conflict = (changed: string, kept: string): NetyardError =>
    new NetyardError('conflict', `Conflicting options: ${changed} cannot be updated as ${kept} has already been set`);
  if (change.nanoCpus && present.cpuPeriod > 0) throw conflict('Nano CPUs', 'CPU Period');
  if (change.nanoCpus && present.cpuQuota > 0) throw conflict('Nano CPUs', 'CPU Quota');
  if (change.cpuPeriod && present.nanoCpus > 0) throw conflict('CPU Period', 'NanoCPUs');
  if (change.cpuQuota && present.nanoCpus > 0) throw conflict('CPU Quota', 'NanoCPUs');
  if (change.memory && change.memorySwap === undefined && memorySwap > 0 && memorySwap < memory)
    throw new NetyardError(
      'conflict',
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  return merged;
}

/** The limits to apply; removing a pids limit has to be written to the kernel explicitly. */
function changedLimits(before: Resources, after: Resources): ReturnType<typeof taskResources> {
  const limits = taskResources(after);
  return before.pidsLimit > 0 && after.pidsLimit <= 0 ? { ...limits, pidsLimit: -1 } : limits;
}
