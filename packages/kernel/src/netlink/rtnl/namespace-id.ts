/** The ids by which a namespace names others, such as those of veth peers. See ip-netns(8), linux/net_namespace.h. */
import { Attributes, concatBytes, encodeAttributes, u32 } from '../attribute.ts';
import type { NetlinkSocket } from '../socket.ts';

const RTM_GETNSID = 90;
const NETNSA = { NSID: 1, FD: 3 } as const;

/** struct rtgenmsg, padded, and the descriptor of the other namespace. */
export const encodeNsIdQuery = (netnsFd: number): Uint8Array =>
  concatBytes([new Uint8Array(4), encodeAttributes([u32(NETNSA.FD, netnsFd)])]);

/** Decodes the payload of RTM_NEWNSID; undefined when the namespace has no id for the other one (-1). */
export function decodeNsId(payload: Uint8Array): number | undefined {
  const id = new Attributes(payload.subarray(4)).s32(NETNSA.NSID);
  return id === undefined || id < 0 ? undefined : id;
}

/** Equivalent to: `ip netns list-id`, for one namespace. */
export function queryNsId(socket: NetlinkSocket, netnsFd: number): number | undefined {
  const request = { type: RTM_GETNSID, payload: encodeNsIdQuery(netnsFd), operation: 'ip netns list-id', object: '' };
  return decodeNsId(socket.query(request).payload);
}
