/** Decodes netlink notifications into kernel events. Pure. */
import type { KernelEvent } from '../contract.ts';
import type { NftFamily } from '../desired.ts';
import { Attributes, eachAttribute } from './attribute.ts';
import type { NetlinkMessage } from './message.ts';
import { familyNumbers } from './nft/family.ts';
import { decodeAddress, RTM_DELADDR, RTM_NEWADDR } from './rtnl/address.ts';
import { AF_BRIDGE, decodeFdb } from './rtnl/fdb.ts';
import { decodeLink, RTM_DELLINK, RTM_NEWLINK } from './rtnl/link.ts';
import { decodeNeighbour, RTM_DELNEIGH, RTM_NEWNEIGH } from './rtnl/neighbour.ts';
import { decodeNetconf, RTM_NEWNETCONF } from './rtnl/netconf.ts';
import { decodeRoute, RTM_DELROUTE, RTM_NEWROUTE } from './rtnl/route.ts';

const deletions: ReadonlySet<number> = new Set([RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE, RTM_DELNEIGH]);

/** Decodes an rtnetlink message; undefined for messages without an event, such as changes of bridge ports. */
export function decodeRouteEvent(message: NetlinkMessage): KernelEvent | undefined {
  const { type, payload } = message;
  const action = deletions.has(type) ? 'del' : 'new';
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      if (payload[0] !== 0) return undefined; // AF_BRIDGE: the link as a bridge port
      const { name, index, up, mtu, masterIndex, alias } = decodeLink(payload);
      const event = { type: 'link', action, name, index } as const;
      if (action === 'del') return event;
      return {
        ...{ ...event, up, mtu },
        ...(alias === undefined ? {} : { owner: alias }),
        ...(masterIndex ? { masterIndex } : {}),
      };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(payload);
      return address && { type: 'address', action, prefix: address.prefix, linkIndex: address.linkIndex };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = decodeRoute(payload);
      return route && { type: 'route', action, to: route.to, table: route.table, protocol: route.protocol };
    }
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return payload[0] === AF_BRIDGE ? fdbEvent(action, payload) : neighbourEvent(action, payload);
    case RTM_NEWNETCONF:
      return netconfEvent(payload);
    default:
      return undefined;
  }
}

/** Changes of IPv4 settings only. */
function netconfEvent(payload: Uint8Array): KernelEvent | undefined {
  const { family, linkIndex, forwarding } = decodeNetconf(payload) ?? {};
  if (family !== 4 || linkIndex === undefined) return undefined;
  return { type: 'netconf', linkIndex, ...(forwarding === undefined ? {} : { forwarding }) };
}

/** Ignores entries of bridges, which have no remote host. */
function fdbEvent(action: 'new' | 'del', payload: Uint8Array): KernelEvent | undefined {
  const entry = decodeFdb(payload);
  if (entry?.remote === undefined) return undefined;
  return { type: 'fdb', action, linkIndex: entry.linkIndex, mac: entry.mac, remote: entry.remote };
}

function neighbourEvent(action: 'new' | 'del', payload: Uint8Array): KernelEvent | undefined {
  const entry = decodeNeighbour(payload);
  return entry && { type: 'neighbour', action, ...entry };
}

type NftPart = Extract<KernelEvent, { type: 'nft' }>['what'];

const NFNL_SUBSYS_NFTABLES = 10;
/** linux/netfilter/nf_tables.h, enum nf_tables_msg_types: for each object new, get, del. */
const nftParts: readonly [number, 'new' | 'del', NftPart][] = [
  [0, 'new', 'table'],
  [2, 'del', 'table'],
  [3, 'new', 'chain'],
  [5, 'del', 'chain'],
  [6, 'new', 'rule'],
  [8, 'del', 'rule'],
  [9, 'new', 'set'],
  [11, 'del', 'set'],
  [12, 'new', 'element'],
  [14, 'del', 'element'],
];
/** NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE are all 1. */
const NFTA_TABLE = 1;
const NFTA_SET_ELEM_LIST = { SET: 2, ELEMENTS: 3 } as const;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;

const nftFamilies: ReadonlyMap<number, NftFamily> = new Map(
  Object.entries(familyNumbers).map(([family, number]) => [number, family as NftFamily]),
);

/** Decodes an nfnetlink message; undefined for others, such as the new generation after each transaction. */
export function decodeNftEvent(message: NetlinkMessage): KernelEvent | undefined {
  if (message.type >> 8 !== NFNL_SUBSYS_NFTABLES) return undefined;
  const part = nftParts.find(([type]) => type === (message.type & 0xff));
  if (!part) return undefined;
  const [, action, what] = part;
  const body = message.payload.subarray(4); // struct nfgenmsg
  const attributes = new Attributes(body);
  const family = nftFamilies.get(message.payload[0] ?? 0);
  const event = {
    ...{ type: 'nft' as const, action, what, table: attributes.text(NFTA_TABLE) ?? '' },
    ...(family === undefined ? {} : { family }),
  };
  if (what !== 'element') return event;
  return { ...event, set: attributes.text(NFTA_SET_ELEM_LIST.SET) ?? '', keys: elementKeys(attributes) };
}

/** Keys of the listed elements. Sets that store the end of an interval as a separate element also report that one. */
function elementKeys(attributes: Attributes): Uint8Array[] {
  const list = attributes.bytes(NFTA_SET_ELEM_LIST.ELEMENTS) ?? new Uint8Array();
  return [...eachAttribute(list)].flatMap(({ value }) => {
    const key = new Attributes(value).nested(NFTA_SET_ELEM_KEY).bytes(NFTA_DATA_VALUE);
    return key === undefined ? [] : [key.slice()];
  });
}
