import type { NetworkEvent, NetworkRecord } from '../contract.ts';

/** Dependencies of the functions in this file. */
export interface EndpointEventsDependencies {
  readonly networks: Map<string, NetworkRecord>;
  emit(event: Omit<NetworkEvent, 'type'>): void;
}
/** Emits an event of an endpoint. */
export function emitEndpoint(
  context: EndpointEventsDependencies,
  action: 'connect' | 'disconnect',
  networkId: string,
  containerId: string,
): void {
  const record = context.networks.get(networkId);
  if (record) context.emit({ action, networkId, networkName: record.name, driver: record.driver, containerId });
}
