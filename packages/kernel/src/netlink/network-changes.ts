/** Decodes netlink notifications into changes of the network and the processes that requested them. Pure. */
import type { ChangeAuthor, NetworkChange } from '../network-change.ts';
import { Attributes, viewOf } from './attribute.ts';
import { decodeNftEvent } from './events.ts';
import type { NetlinkMessage } from './message.ts';
import { decodeAddress, RTM_DELADDR, RTM_NEWADDR } from './rtnl/address.ts';
import { decodeLink, RTM_DELLINK, RTM_NEWLINK } from './rtnl/link.ts';
import { decodeNetconf, RTM_NEWNETCONF } from './rtnl/netconf.ts';
import { decodeRoute, RTM_DELROUTE, RTM_NEWROUTE } from './rtnl/route.ts';
import { routeType } from './rtnl/route-hops.ts';
import { RTM_DELRULE, RTM_NEWRULE } from './rtnl/rule.ts';

/** Names the process behind a port id of rtnetlink. */
export type FindAuthor = (portId: number) => ChangeAuthor;
/** The same for a transaction of nftables, whose notification has more. */
export type FindNftAuthor = (commit: { portId: number; pid?: number; program?: string }) => ChangeAuthor;

const AF_INET = 2;
const AF_INET6 = 10;
/** linux/netconf.h NETCONFA_IFINDEX_ALL. */
const allLinks = -1;

/** Undefined for messages that change nothing which is recorded, such as those of bridge ports. */
export function decodeRouteChange(message: NetlinkMessage, find: FindAuthor): NetworkChange | undefined {
  const { type, payload, portId = 0 } = message;
  const deletions: readonly number[] = [RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE, RTM_DELRULE];
  const action = deletions.includes(type) ? 'del' : 'new';
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      if (payload[0] !== 0) return undefined; // AF_BRIDGE: the link as a bridge port
      const { name, index, up, mtu, masterIndex } = decodeLink(payload);
      const state = { name, index, up, mtu, ...(masterIndex ? { masterIndex } : {}) };
      return { type: 'link', action, ...state };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(payload);
      if (!address) return undefined;
      return { type: 'address', action, author: find(portId), prefix: address.prefix, linkIndex: address.linkIndex };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return routeChange(action, message, find);
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const family = payload[0] === AF_INET ? 4 : payload[0] === AF_INET6 ? 6 : undefined;
      return family && { type: 'rule', action, author: find(portId), family };
    }
    case RTM_NEWNETCONF:
      return forwardingChange(payload);
    default:
      return undefined;
  }
}

function routeChange(action: 'new' | 'del', message: NetlinkMessage, find: FindAuthor): NetworkChange | undefined {
  const route = decodeRoute(message.payload);
  if (!route) return undefined;
  const { family, to, via, linkIndex, table, protocol, type: kind } = route;
  return {
    ...{ type: 'route', action, author: find(message.portId ?? 0), family, to, table, protocol, kind: routeType(kind) },
    ...(via === undefined ? {} : { via }),
    ...(linkIndex === undefined ? {} : { linkIndex }),
  };
}

function forwardingChange(payload: Uint8Array): NetworkChange | undefined {
  const { family, linkIndex, forwarding } = decodeNetconf(payload) ?? {};
  if (family !== 4 || forwarding === undefined || linkIndex === undefined || linkIndex < allLinks) return undefined;
  return { type: 'forwarding', on: forwarding, ...(linkIndex === allLinks ? {} : { linkIndex }) };
}

/** linux/netfilter/nf_tables.h, NFT_MSG_NEWGEN of the subsystem nftables, and enum nft_gen_attributes. */
const newGeneration = (10 << 8) | 15;
const NFTA_GEN = { PROC_PID: 2, PROC_NAME: 3 } as const;

export function decodeNftChange(message: NetlinkMessage, find: FindNftAuthor): NetworkChange | undefined {
  const { type, payload, portId = 0 } = message;
  if (type === newGeneration) {
    const attributes = new Attributes(payload.subarray(4));
    const pid = attributes.bytes(NFTA_GEN.PROC_PID);
    const program = attributes.text(NFTA_GEN.PROC_NAME);
    const named = { ...(pid ? { pid: viewOf(pid).getUint32(0) } : {}), ...(program === undefined ? {} : { program }) };
    return { type: 'nft-commit', author: find({ portId, ...named }) };
  }
  const event = decodeNftEvent(message);
  if (event?.type !== 'nft') return undefined;
  const { action, what, family, table } = event;
  return { type: 'nft', action, what, table, ...(family === undefined ? {} : { family }) };
}
