/** Validates names in nft(8) commands. Pure. */
import { NetyardError } from '@netyard/core';

/** Families, tables, sets: what nft's scanner accepts as one token. Throws `invalid`. */
export function checkNftName(name: string): void {
  if (!/^[A-Za-z_.][A-Za-z0-9/_.-]*$/.test(name) || name.length > 255)
    throw new NetyardError('invalid', `invalid nftables name ${JSON.stringify(name)}`);
}
