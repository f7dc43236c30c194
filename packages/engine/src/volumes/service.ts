/** `docker volume …`. */
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NetyardError, parseGoBoolean } from '@netyard/core';
import type { Filters, VolumeService } from '../contract.ts';
import type { EventLog } from '../events/event-log.ts';
import {
  booleanFilter,
  checkFilterKeys,
  matchesExactly,
  matchesKeyValues,
  matchesPruneLabels,
  patternTest,
} from '../filters.ts';
import { publishVolume } from './volume-events.ts';
import type { VolumeIndex } from './volume-index.ts';

/** What the functions of this file work on. */
export interface VolumesServiceDependencies {
  readonly volumes: VolumeIndex;
  readonly events: EventLog;
}

export function createVolumeService(context: VolumesServiceDependencies): VolumeService {
  const { volumes, events } = context;
  return {
    async list(filters) {
      checkFilterKeys(filters, ['dangling', 'driver', 'label', 'name']);
      const dangling = booleanFilter(filters, 'dangling');
      const hasName = patternTest(filters.get('name'));
      return volumes
        .all()
        .filter(
          (record) =>
            hasName(record.name) &&
            matchesExactly(filters.get('driver'), record.driver) &&
            matchesKeyValues(filters.get('label'), record.labels) &&
            (dangling === undefined || dangling === (volumes.users(record.name).length === 0)),
        );
    },
    async get(name) {
      return volumes.get(name);
    },
    async create(request) {
      const { record, created } = volumes.ensure(request);
      if (created) publishVolume(events, record.name, 'create');
      return record;
    },
    async remove(name, force) {
      if (force && !volumes.find(name)) return;
      volumes.get(name);
      const users = volumes.users(name);
      if (users.length > 0)
        throw new NetyardError('conflict', `remove ${name}: volume is in use - [${users.join(', ')}]`);
      await volumes.remove(name);
      publishVolume(events, name, 'destroy');
    },
    prune: (filters) => pruneVolumes(context, filters),
  };
}

/** Volumes that no container uses: the anonymous ones, with `all=true` every one. */
async function pruneVolumes(
  context: VolumesServiceDependencies,
  filters: Filters,
): Promise<{ deleted: string[]; reclaimed: number }> {
  const { volumes, events } = context;
  checkFilterKeys(filters, ['label', 'label!', 'all']);
  const all = readAll(filters);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const record of volumes.all()) {
    if (!all && !record.anonymous) continue;
    if (!matchesPruneLabels(filters, record.labels) || volumes.users(record.name).length > 0) continue;
    reclaimed += await treeSize(record.mountpoint);
    await volumes.remove(record.name);
    publishVolume(events, record.name, 'destroy');
    deleted.push(record.name);
  }
  const attributes = { reclaimed: String(reclaimed) };
  events.publish({ type: 'volume', action: 'prune', actorId: '', attributes });
  return { deleted, reclaimed };
}

/** Docker reads this filter by Go's ParseBool. */
function readAll(filters: Filters): boolean {
  const [text = 'false'] = filters.get('all') ?? [];
  const all = parseGoBoolean(text);
  if (all !== undefined) return all;
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw new NetyardError('invalid', `invalid filter 'all': ${reason}`);
}

/** Bytes of the plain files below a directory; files that vanish meanwhile do not count. */
export async function treeSize(directory: string): Promise<number> {
  let size = 0;
  const entries = await opendir(directory, { recursive: true }).catch(() => undefined);
  if (!entries) return 0;
  for await (const entry of entries) {
    if (!entry.isFile()) continue;
    size += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return size;
}
