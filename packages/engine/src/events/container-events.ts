/** Docker's container events: the actor's attributes are its labels, image and name, and those of the action. */
import type { ContainerRecord } from '../model.ts';
import type { EventLog } from './event-log.ts';

export function publishContainer(
  events: EventLog,
  record: ContainerRecord,
  action: string,
  attributes: Record<string, string> = {},
): void {
  const actor = { ...record.config.labels, ...attributes, image: record.config.image, name: record.name };
  events.publish({ type: 'container', action, actorId: record.id, attributes: actor });
}
