/** `docker rename`: renames the container and the link names that start with its name. */

import { type KeyedQueue, NetyardError, withUndo } from '@netyard/core';
import type { Networks } from '@netyard/sandbox';
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ContainerIndex } from '../records/container-index.ts';
import { checkName } from './names.ts';

/** What the functions of this file work on. */
export interface RenameDependencies {
  readonly networks: Networks;
  readonly index: ContainerIndex;
  readonly events: EventLog;
  readonly queue: KeyedQueue;
}

const allocating = 'Error when allocating new name: ';

export async function renameContainer(context: RenameDependencies, ref: string, requested: string): Promise<void> {
  const { index, networks, events } = context;
  if (ref === '' || requested === '') throw new NetyardError('invalid', 'Neither old nor new names may be empty');
  const { id } = index.get(ref);
  await context.queue.run(id, async () => {
    const record = index.get(id);
    const name = checkName(requested.startsWith('/') ? requested : `/${requested}`, allocating);
    if (name === record.name)
      throw new NetyardError('invalid', 'Renaming a container with the same name as its current name');
    await withUndo(async (undo) => {
      takeName(context, name, id);
      undo.push(() => index.releaseName(name, id));
      await networks.rename(id, name);
      undo.push(() => networks.rename(id, record.name));
      const renamed = index.put({ ...index.get(id), name });
      index.releaseName(record.name, id);
      publishContainer(events, renamed, 'rename', { oldName: `/${record.name}` });
    });
  });
}

function takeName(context: RenameDependencies, name: string, id: string): void {
  try {
    context.index.reserveName(name, id);
  } catch (error) {
    if (!(error instanceof NetyardError)) throw error;
    throw new NetyardError(error.code, `${allocating}${error.message}`, { cause: error });
  }
}
