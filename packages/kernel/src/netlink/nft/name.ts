/** Names that may stand in an nft(8) command. Pure. */
import { NetyardError } from '@netyard/core';

/** Families, tables, sets: what nft's scanner takes as one word. Throws `invalid`. */
export function checkNftName(name: string): void {
  if (!/^[A-Za-z_.][A-Za-z0-9/_.-]*$/.test(name) || name.length > 255)
    throw new NetyardError('invalid', `invalid nftables name ${JSON.stringify(name)}`);
}
