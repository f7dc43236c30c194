/** Prints rules in chains of other programs as nft(8) text. Pure. */
import { NetyardError } from '@netyard/core';
import type { NftFamily, NftRuleObject } from '../../desired.ts';
import { checkNftName } from './name.ts';

export interface NftChainName {
  family: NftFamily;
  table: string;
  chain: string;
}

/** `ip filter FORWARD`. Throws `invalid` for invalid names. */
export function chainSpec({ family, table, chain }: NftChainName): string {
  for (const name of [family, table, chain]) checkNftName(name);
  return `${family} ${table} ${chain}`;
}

/** Throws `invalid` for text that would end the rule, its quotes or its line. */
export function checkRule(object: NftRuleObject): void {
  chainSpec(object);
  if (object.comment === '' || Buffer.byteLength(object.comment) > 127 || /["\\\n\r\0]/.test(object.comment))
    throw new NetyardError('invalid', `invalid nftables comment ${JSON.stringify(object.comment)}`);
  if (object.rule.trim() === '' || /[{};#$\\\n\r\0]/.test(object.rule.replace(/"[^"\n]*"/g, '')))
    throw new NetyardError('invalid', `invalid nftables rule ${JSON.stringify(object.rule)}`);
}

/** The command that adds a rule: `nft insert rule …` or `nft add rule …`. */
export function printRule({ rule, comment, position = 'first', ...name }: NftRuleObject): string {
  const spec = chainSpec(name);
  const [verb, location] =
    position === 'first'
      ? ['insert', '']
      : position === 'last'
        ? ['add', '']
        : ['insert', ` position ${position.before}`];
  return `${verb} rule ${spec}${location} ${rule} comment "${comment}"`;
}
