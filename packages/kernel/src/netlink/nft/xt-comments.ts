/**
 * Reads the comments of rules that iptables made or restored. iptables writes a comment as an xtables match, even where the
 * rule that it saved had nft's: linux/netfilter/xt_comment.h. nft does not print it.
 */
import type { NftFamily } from '../../desired.ts';
import { Attributes, concatBytes, eachAttribute, encodeAttributes, text, viewOf } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';
import { familyNumbers } from './family.ts';
import { chainSpec, type NftChainName } from './rule.ts';

const NFT_MSG_GETRULE = 0x0a07; // subsystem NFTABLES, message 7
// linux/netfilter/nf_tables.h
const NFTA_RULE = { TABLE: 1, CHAIN: 2, HANDLE: 3, EXPRESSIONS: 4 } as const;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR = { NAME: 1, DATA: 2 } as const;
const NFTA_MATCH = { NAME: 1, INFO: 3 } as const;

/** Whether a listing of nft may contain an xtables match: nft prints one that says nothing as a second space. */
export const mayHaveXtComments = (listing: string): boolean => /\t |\S {2}\S|\bxt match\b/.test(listing);

/** Payload of NFT_MSG_GETRULE for the rules of one chain. */
export function encodeRulesQuery({ family, table, chain }: NftChainName): Uint8Array {
  const names = encodeAttributes([text(NFTA_RULE.TABLE, table), text(NFTA_RULE.CHAIN, chain)]);
  return concatBytes([nfgenmsg(family), names]);
}

const nfgenmsg = (family: NftFamily): Uint8Array => Uint8Array.of(familyNumbers[family], 0, 0, 0);

/** Handle and comment of a rule with such a match. Pure. */
export function decodeXtComment(payload: Uint8Array): { handle: number; comment: string } | undefined {
  const rule = new Attributes(payload.subarray(4)); // struct nfgenmsg
  const handle = rule.bytes(NFTA_RULE.HANDLE);
  if (handle === undefined || handle.length < 8) return undefined;
  for (const { type, value } of eachAttribute(rule.bytes(NFTA_RULE.EXPRESSIONS) ?? new Uint8Array())) {
    const expression = new Attributes(type === NFTA_LIST_ELEM ? value : new Uint8Array());
    if (expression.text(NFTA_EXPR.NAME) !== 'match') continue;
    const match = expression.nested(NFTA_EXPR.DATA);
    const info = match.bytes(NFTA_MATCH.INFO);
    if (match.text(NFTA_MATCH.NAME) !== 'comment' || info === undefined) continue;
    const comment = Buffer.from(info).toString('utf8').replace(/\0.*$/s, '');
    return { handle: Number(viewOf(handle).getBigUint64(0)), comment };
  }
  return undefined;
}

/** Comments by the rules' handles. Equivalent to: `iptables -S CHAIN`, without tables of iptables-legacy. */
export function readXtComments(socket: NetlinkSocket, name: NftChainName): Map<number, string> {
  const object = chainSpec(name);
  const payload = encodeRulesQuery(name);
  const messages = socket.dump({ type: NFT_MSG_GETRULE, payload, operation: 'nft list chain', object });
  const found = messages.flatMap((message) => decodeXtComment(message.payload) ?? []);
  return new Map(found.map(({ handle, comment }) => [handle, comment]));
}
