/** Docker's events about volumes. */
import type { EventLog } from '../events/event-log.ts';

export function publishVolume(
  events: EventLog,
  name: string,
  action: string,
  attributes: Record<string, string> = {},
): void {
  events.publish({ type: 'volume', action, actorId: name, attributes: { driver: 'local', ...attributes } });
}
