/** The address family between this host and a peer, which is that of the peer's address. Its subnets may be of both. Pure. */

export type OuterFamily = 'v4' | 'v6';

export const outerFamilies: readonly OuterFamily[] = ['v4', 'v6'];

export const outerFamilyOf = (address: string): OuterFamily => (address.includes(':') ? 'v6' : 'v4');
