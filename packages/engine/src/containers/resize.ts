/** Resizes a container's terminal. */
import { publishContainer } from '../events/container-events.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Runtime } from '../ports.ts';
import { type ContainerIndex, hasEnded, hasProcess, notRunning } from '../records/container-index.ts';

/** What the functions of this file work on. */
export interface ResizeDependencies {
  readonly runtime: Runtime;
  readonly index: ContainerIndex;
  readonly events: EventLog;
}

export async function resizeContainer(
  context: ResizeDependencies,
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
