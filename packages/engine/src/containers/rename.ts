/** `docker rename`: the name, and with it the names of links that begin with it. */
import { NetyardError, withUndo } from '@netyard/core';
import type { EngineContext } from '../context.ts';
import { publishContainer } from '../events/container-events.ts';
import { checkName } from './names.ts';

const allocating = 'Error when allocating new name: ';

export async function renameContainer(context: EngineContext, ref: string, wanted: string): Promise<void> {
  const { index, networks, events } = context;
  if (ref === '' || wanted === '') throw new NetyardError('invalid', 'Neither old nor new names may be empty');
  const { id } = index.get(ref);
  await context.queue.run(id, async () => {
    const record = index.get(id);
    const name = checkName(wanted.startsWith('/') ? wanted : `/${wanted}`, allocating);
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

function takeName(context: EngineContext, name: string, id: string): void {
  try {
    context.index.reserveName(name, id);
  } catch (error) {
    if (!(error instanceof NetyardError)) throw error;
    throw new NetyardError(error.code, `${allocating}${error.message}`, { cause: error });
  }
}
