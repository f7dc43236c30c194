/**
 * The set and key of a masqueraded subnet. nft reads all interval sets in each transaction, so with many networks each
 * published port would cost more: /24 subnets, as most of many networks have, are in a hash table. Pure.
 */

export const masqueradedKey = (subnet: string): ['masqueraded' | 'masqueraded_24', string] =>
  subnet.endsWith('/24') ? ['masqueraded_24', subnet.replace(/\/24$/, '')] : ['masqueraded', subnet];
