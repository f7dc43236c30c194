/** Translates events into Docker's JSON lines. Pure. */
import type { EventMessage } from '@netyard/api-types';
import type { EngineEvent } from '@netyard/engine';
import { type ApiVersion, speaks } from '../versions.ts';

export function translateEvent(event: EngineEvent, version: ApiVersion): EventMessage {
  const image = event.attributes['image'];
  // The fields before `Type` are from API 1.21 and older; Docker sends them for containers and images before API 1.52.
  const isOld = !speaks(version, 52);
  const old =
    isOld && (event.type === 'container' || event.type === 'image')
      ? { status: event.action, id: event.actorId }
      : undefined;
  return {
    ...old,
    ...(isOld && event.type === 'container' && image !== undefined ? { from: image } : {}),
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.actorId, Attributes: event.attributes },
    scope: 'local',
    time: Number(event.time / 1_000_000_000n),
    // Beyond 2^53: `encodeEvent` writes it as a number, because JSON.stringify rejects bigint.
    timeNano: Number(event.time),
  };
}

/** One line; timeNano keeps all digits. */
export function encodeEvent(event: EngineEvent, version: ApiVersion): string {
  const message = JSON.stringify(translateEvent(event, version));
  return `${message.replace(/"timeNano":\d+\}$/, `"timeNano":${event.time}}`)}\n`;
}
