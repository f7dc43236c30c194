/** Completes the pool of a new network: its gateway, and checks of its auxiliary addresses. Docker's messages. Pure. */
import { errorCodeOf, messageOf, NetyardError } from '@netyard/core';
import type { IpamPool } from '../contract.ts';
import { AddressPool } from './pool.ts';

/**
 * The gateway is the requested address, else the lowest free one of the subnet, or of its ip-range. Throws `failed`.
 * @param pool as checked by `checkPools`, with a subnet
 * @param options.gateway false: without a gateway unless one is requested
 */
export function completePool(pool: IpamPool, options: { gateway: boolean } = { gateway: true }): IpamPool {
  const { gateway: requested, auxAddresses = {}, ...rest } = pool;
  const addresses = new AddressPool(rest);
  const gateway = requested ?? (options.gateway ? lowestFree(addresses) : undefined);
  if (gateway !== undefined)
    attempt(
      () => addresses.take(gateway, 'gateway'),
      (reason) => gatewayError(requested ?? '', reason),
    );
  for (const [name, address] of Object.entries(auxAddresses))
    attempt(
      () => takeAux(addresses, name, address),
      (reason) => new NetyardError('failed', `failed to allocate secondary ip address (${name}:${address}): ${reason}`),
    );
  return { ...pool, ...(gateway === undefined ? {} : { gateway }) };
}

function lowestFree(addresses: AddressPool): string {
  const address = addresses.next();
  if (address === undefined) throw gatewayError('', 'no available addresses on this pool');
  return address;
}

const gatewayError = (gateway: string, reason: string): NetyardError =>
  new NetyardError('failed', `failed to allocate gateway (${gateway}): ${reason}`);

function takeAux(addresses: AddressPool, name: string, address: string): void {
  if (addresses.holder(address) !== undefined) throw new NetyardError('forbidden', 'Address already in use');
  addresses.take(address, name);
}

function attempt(take: () => void, toError: (reason: string) => NetyardError): void {
  try {
    take();
  } catch (error) {
    const isOutside = errorCodeOf(error) === 'invalid';
    throw toError(isOutside ? 'requested address is out of range' : messageOf(error));
  }
}
