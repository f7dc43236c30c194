/** Converts events of the network package to Docker's: the network is the actor, the container an attribute. */
import type { NetworkEvent } from '@netyard/network';
import type { EventLog } from './event-log.ts';

export function publishNetwork(events: EventLog, event: NetworkEvent): void {
  const attributes: Record<string, string> = { name: event.networkName, type: event.driver };
  if (event.containerId !== undefined) attributes['container'] = event.containerId;
  if (event.detail !== undefined) attributes['detail'] = event.detail;
  events.publish({ type: 'network', action: event.action, actorId: event.networkId, attributes });
}
