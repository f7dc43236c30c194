/** Numbers of address families in nfnetlink messages: linux/netfilter.h NFPROTO_*. Pure. */
import type { NftFamily } from '../../desired.ts';

export const familyNumbers: Readonly<Record<NftFamily, number>> = {
  inet: 1,
  ip: 2,
  arp: 3,
  netdev: 5,
  bridge: 7,
  ip6: 10,
};
