/** The size of a container's terminal. */
import type { EngineContext } from '../context.ts';
import { publishContainer } from '../events/container-events.ts';
import { hasEnded, hasProcess, notRunning } from './container-index.ts';

export async function resizeContainer(
  context: EngineContext,
  ref: string,
  rows: number,
  columns: number,
): Promise<void> {
  const record = context.index.get(ref);
  if (!hasProcess(record)) throw notRunning(record);
  await context.runtime.resize(record.id, rows, columns).catch((error: unknown) => {
    throw hasEnded(error) ? notRunning(record) : error;
  });
  publishContainer(context.events, record, 'resize', { height: String(rows), width: String(columns) });
}
