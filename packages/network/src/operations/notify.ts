/** Tells listeners what happened to an endpoint. */
import type { Context } from '../context.ts';

export function emitEndpoint(
  context: Context,
  action: 'connect' | 'disconnect',
  networkId: string,
  containerId: string,
): void {
  const record = context.networks.get(networkId);
  if (record) context.emit({ action, networkId, networkName: record.name, driver: record.driver, containerId });
}
