/** `docker container prune`. */

import { type Clock, type Logger, messageOf } from '@netyard/core';
import type { Filters } from '../contract.ts';
import type { EventLog } from '../events/event-log.ts';
import { checkFilterKeys, matchesPruneLabels, untilFilter } from '../filters.ts';
import type { RootFilesystems } from '../ports.ts';
import { type ContainerIndex, isAlive } from '../records/container-index.ts';
import { type RemoveDependencies, removeContainer } from './remove.ts';

/** What the functions of this file work on. */
export interface PruneDependencies extends RemoveDependencies {
  readonly rootfs: RootFilesystems;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly index: ContainerIndex;
  readonly events: EventLog;
}

export async function pruneContainers(
  context: PruneDependencies,
  filters: Filters,
): Promise<{ deleted: string[]; reclaimed: number }> {
  checkFilterKeys(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters, context.clock.now());
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const record of context.index.all()) {
    if (isAlive(record) || (until !== undefined && record.created > until)) continue;
    if (!matchesPruneLabels(filters, record.config.labels)) continue;
    const size = await context.rootfs.size(record.id, record.layers).catch(() => undefined);
    try {
      await removeContainer(context, record.id, { force: false, volumes: false, link: false });
    } catch (error) {
      context.logger.warn('pruning a container failed', { container: record.id, error: messageOf(error) });
      continue;
    }
    reclaimed += size?.writable ?? 0;
    deleted.push(record.id);
  }
  const attributes = { reclaimed: String(reclaimed) };
  context.events.publish({ type: 'container', action: 'prune', actorId: '', attributes });
  return { deleted, reclaimed };
}
