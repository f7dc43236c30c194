/**
 * The set and key of a masqueraded subnet. nft reads all interval sets in each transaction, so with many networks each
 * published port would cost more: /24 subnets, and /64 of IPv6, as most of many networks have, are in hash tables. Pure.
 */

export function masqueradedKey(subnet: string): ['masqueraded' | 'masqueraded_24' | 'masqueraded_64', string] {
  const [first = '', length] = subnet.split('/');
  if (subnet.includes(':')) return length === '64' ? ['masqueraded_64', first] : ['masqueraded', subnet];
  return length === '24' ? ['masqueraded_24', first] : ['masqueraded', subnet];
}
