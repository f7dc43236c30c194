/**
 * Decodes NFT_MSG_TRACE, one step of one packet through nftables: linux/netfilter/nf_tables.h, enum nft_trace_attributes.
 * Pure.
 */
import type { NftFamily } from '../../desired.ts';
import type { ConntrackState, NftVerdict, PacketHeaders, RuleTraceMessage } from '../../packet-trace.ts';
import { Attributes, viewOf } from '../attribute.ts';
import type { NetlinkMessage } from '../message.ts';
import { type Macs, networkOffset, parseMacs, parsePacket } from './headers.ts';

/** Subsystem NFTABLES (10), message 17. */
export const NFT_MSG_TRACE = 0x0a11;
const NFTA_TRACE = {
  ...{ TABLE: 1, CHAIN: 2, RULE_HANDLE: 3, TYPE: 4, VERDICT: 5, ID: 6, LL_HEADER: 7, NETWORK_HEADER: 8 },
  ...{ TRANSPORT_HEADER: 9, IIF: 10, OIF: 12, MARK: 14, POLICY: 16, CT_ID: 18, CT_DIRECTION: 19, CT_STATUS: 20 },
  CT_STATE: 21,
} as const;
const NFTA_VERDICT = { CODE: 1, CHAIN: 2 } as const;
const NFT_TRACETYPE_POLICY = 1;
const NFT_TRACETYPE_RULE = 3;
/** linux/netfilter/nf_conntrack_common.h, enum ip_conntrack_status. */
const IPS_SRC_NAT = 1 << 4;
const IPS_DST_NAT = 1 << 5;
const families: ReadonlyMap<number, NftFamily> = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
]);
/** linux/netfilter.h NF_*, and negative NFT_* of nf_tables.h. */
const verdicts: ReadonlyMap<number, NftVerdict> = new Map([
  [0, 'drop'],
  [1, 'accept'],
  [2, 'stolen'],
  [3, 'queue'],
  [-1, 'continue'],
  [-3, 'jump'],
  [-4, 'goto'],
  [-5, 'return'],
]);
/** Bits of the state: NF_CT_STATE_INVALID_BIT, and 1 << (ctinfo % IP_CT_IS_REPLY + 1), untracked. */
const states: ReadonlyMap<number, ConntrackState['state']> = new Map([
  [1, 'invalid'],
  [2, 'established'],
  [4, 'related'],
  [8, 'new'],
  [64, 'untracked'],
]);

export interface DecodedTrace
  extends Pick<RuleTraceMessage, 'traceId' | 'family' | 'table' | 'chain' | 'type' | 'verdict' | 'target' | 'mark'> {
  handle?: number;
  iifIndex?: number;
  oifIndex?: number;
  headers?: PacketHeaders;
  macs?: Macs;
  conntrack?: ConntrackState;
}

/** Undefined for other messages of the group, and for families that nft does not know. */
export function decodeTrace(message: NetlinkMessage, vxlanPorts?: readonly number[]): DecodedTrace | undefined {
  const family = families.get(message.payload[0] ?? 0);
  if (message.type !== NFT_MSG_TRACE || family === undefined) return undefined;
  const all = new Attributes(message.payload.subarray(4)); // struct nfgenmsg
  return {
    ...{ traceId: all.u32(NFTA_TRACE.ID) ?? 0, family },
    ...{ table: all.text(NFTA_TRACE.TABLE) ?? '', chain: all.text(NFTA_TRACE.CHAIN) ?? '' },
    ...decodeStep(all),
    ...decodeInterfaces(all),
    ...decodeHeaders(all, vxlanPorts),
    ...decodeConntrack(all),
  };
}

const be32 = (all: Attributes, type: number): number | undefined => {
  const value = all.bytes(type);
  return value === undefined || value.length < 4 ? undefined : viewOf(value).getUint32(0);
};

/** The handle is absent at the end of a chain, which the kernel reports like a rule. */
function decodeStep(all: Attributes): Pick<DecodedTrace, 'type' | 'verdict' | 'target' | 'handle'> {
  const type = be32(all, NFTA_TRACE.TYPE);
  if (type === NFT_TRACETYPE_POLICY)
    return { type: 'policy', verdict: be32(all, NFTA_TRACE.POLICY) === 0 ? 'drop' : 'accept' };
  const handle = all.bytes(NFTA_TRACE.RULE_HANDLE);
  const inside = all.nested(NFTA_TRACE.VERDICT);
  const target = inside.text(NFTA_VERDICT.CHAIN);
  return {
    type: type === NFT_TRACETYPE_RULE && handle !== undefined ? 'rule' : 'return',
    verdict: verdictOf(be32(inside, NFTA_VERDICT.CODE)),
    ...(target === undefined ? {} : { target }),
    ...(handle === undefined ? {} : { handle: Number(viewOf(handle).getBigUint64(0)) }),
  };
}

/** The upper bits of NF_QUEUE and NF_DROP are a queue number and an errno. */
function verdictOf(code = 0xffffffff): NftVerdict {
  return verdicts.get(code | 0) ?? verdicts.get(code & 0xff) ?? 'continue';
}

function decodeInterfaces(all: Attributes): Pick<DecodedTrace, 'iifIndex' | 'oifIndex' | 'mark'> {
  const iifIndex = be32(all, NFTA_TRACE.IIF);
  const oifIndex = be32(all, NFTA_TRACE.OIF);
  const mark = be32(all, NFTA_TRACE.MARK);
  return {
    ...(iifIndex === undefined ? {} : { iifIndex }),
    ...(oifIndex === undefined ? {} : { oifIndex }),
    ...(mark === undefined ? {} : { mark }),
  };
}

/** The network header has at most 40 bytes, the transport header at most 20: no more of the packet is reported. */
function decodeHeaders(all: Attributes, vxlanPorts?: readonly number[]): Pick<DecodedTrace, 'headers' | 'macs'> {
  const link = all.bytes(NFTA_TRACE.LL_HEADER);
  const network = all.bytes(NFTA_TRACE.NETWORK_HEADER);
  const transport = all.bytes(NFTA_TRACE.TRANSPORT_HEADER);
  const macs = link?.length === networkOffset(link ?? new Uint8Array()) ? parseMacs(link) : undefined;
  const headers = network && parsePacket(Buffer.concat([network, transport ?? new Uint8Array()]), vxlanPorts);
  return { ...(headers === undefined ? {} : { headers }), ...(macs === undefined ? {} : { macs }) };
}

function decodeConntrack(all: Attributes): { conntrack?: ConntrackState } {
  const id = be32(all, NFTA_TRACE.CT_ID);
  const state = states.get(be32(all, NFTA_TRACE.CT_STATE) ?? 0);
  if (id === undefined || state === undefined) return {};
  const status = be32(all, NFTA_TRACE.CT_STATUS) ?? 0;
  return {
    conntrack: {
      ...{ id, state, direction: all.u8(NFTA_TRACE.CT_DIRECTION) === 1 ? 'reply' : 'original' },
      ...{ sourceNat: (status & IPS_SRC_NAT) !== 0, destinationNat: (status & IPS_DST_NAT) !== 0 },
    },
  };
}
