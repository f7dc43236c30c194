import type { NetworkEvent, NetworkRecord } from '../contract.ts';

/** What the functions of this file work on. */
export interface NotifyDependencies {
  readonly networks: Map<string, NetworkRecord>;
  emit(event: Omit<NetworkEvent, 'type'>): void;
}
/** Tells listeners what happened to an endpoint. */

export function emitEndpoint(
  context: NotifyDependencies,
  action: 'connect' | 'disconnect',
  networkId: string,
  containerId: string,
): void {
  const record = context.networks.get(networkId);
  if (record) context.emit({ action, networkId, networkName: record.name, driver: record.driver, containerId });
}
