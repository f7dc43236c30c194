/** Addresses and the default route of an endpoint, on its interface in the namespace: the same for all drivers. Pure. */
import { formatIp, lastOf, networkOf, parsePrefix } from '@netyard/core';
import type { AddressObject, KernelObject } from '@netyard/kernel';
import type { EndpointAddress } from '../contract.ts';
import type { EndpointPlanInput } from './driver.ts';

type Input = Pick<EndpointPlanInput, 'netnsPath' | 'endpoint'>;

/** Its address, and those of `--link-local-ip`. */
export function planAddresses({ endpoint, netnsPath: ns }: Input): AddressObject[] {
  const { link, addresses, config } = endpoint;
  const own = addresses.v4 ? [`${addresses.v4.address}/${addresses.v4.prefixLength}`] : [];
  const linkLocal = (config.linkLocalAddresses ?? []).map((address) => `${address}/16`);
  return [...own, ...linkLocal].map((prefix) => ({
    kind: 'address',
    ns,
    link,
    prefix,
    broadcast: broadcastOf(prefix),
  }));
}

const broadcastOf = (prefix: string): string => formatIp(lastOf(networkOf(parsePrefix(prefix))));

/** Whether packets to other networks leave by the endpoint that has this address. */
export const hasDefaultRoute = (address: EndpointAddress | undefined): boolean =>
  address?.gateway !== undefined || address?.onLink === true;

/** Through the gateway, or to the interface itself; empty for an endpoint without either. */
export function planDefaultRoute({ netnsPath: ns, endpoint: { link, addresses } }: Input): KernelObject[] {
  if (!hasDefaultRoute(addresses.v4)) return [];
  const { gateway: via } = addresses.v4 ?? {};
  const hop = via === undefined ? ({ scope: 'link' } as const) : { via };
  return [{ kind: 'route', ns, to: 'default', family: 4, ...hop, link }];
}
