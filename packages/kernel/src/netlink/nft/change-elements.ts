/**
 * Adds and deletes elements of hash sets and maps directly over nfnetlink. libnftables reads all tables, chains and sets,
 * and all elements of interval sets, before each change: this reads the types of the sets that change.
 */

import type { NftElementObject } from '../../desired.ts';
import type { Attribute } from '../attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.ts';
import type { NetlinkSocket, TransactionPart } from '../socket.ts';
import { setSpec } from './element.ts';
import { decodeSetType, encodeElement, encodeElements, encodeSetQuery } from './element-message.ts';

/** Subsystem NFTABLES, messages 10, 12 and 14. */
const NFT_MSG_GETSET = 0x0a0a;
const NFT_MSG_NEWSETELEM = 0x0a0c;
const NFT_MSG_DELSETELEM = 0x0a0e;

/** More elements may not fit into the socket's buffer; of each some 100 to 300 bytes are sent. */
const mostElements = 500;
/** An attribute, such as the list of elements, has at most 64 KiB. */
const mostPerRequest = 100;

export type ElementChange = 'create' | 'delete';

/**
 * Creates or deletes all elements in one transaction. False: nothing was changed, because libnftables is needed for one of
 * the sets or elements. Throws the KernelError of a set that does not exist, or of a rejected transaction: EEXIST, ENOENT.
 */
export function changeElements(
  socket: NetlinkSocket,
  change: ElementChange,
  elements: readonly NftElementObject[],
): boolean {
  if (elements.length === 0 || elements.length > mostElements) return false;
  const parts = encodeChange(socket, change, elements);
  if (parts === undefined) return false;
  const object = [...new Set(elements.map(setSpec))].join(', ');
  socket.executeTransaction(parts, { operation: `nft ${change} element`, object });
  return true;
}

function encodeChange(
  socket: NetlinkSocket,
  change: ElementChange,
  elements: readonly NftElementObject[],
): TransactionPart[] | undefined {
  const isCreation = change === 'create';
  const kind = isCreation
    ? { type: NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE | NLM_F_EXCL }
    : { type: NFT_MSG_DELSETELEM, flags: 0 };
  const parts: TransactionPart[] = [];
  for (const [spec, members] of Map.groupBy(elements, setSpec)) {
    const encoded = encodeMembers(socket, spec, { change, members });
    const [first] = members;
    if (encoded === undefined || first === undefined) return undefined;
    for (let at = 0; at < encoded.length; at += mostPerRequest)
      parts.push({ ...kind, payload: encodeElements(first, encoded.slice(at, at + mostPerRequest)) });
  }
  return parts;
}

function encodeMembers(
  socket: NetlinkSocket,
  spec: string,
  { change, members }: { change: ElementChange; members: readonly NftElementObject[] },
): Attribute[] | undefined {
  const [first] = members;
  if (first === undefined) return undefined;
  const query = { type: NFT_MSG_GETSET, payload: encodeSetQuery(first), operation: 'nft list set', object: spec };
  const type = decodeSetType(socket.query(query).payload);
  const encoded = type === undefined ? [] : members.map((member) => encodeElement(member, type, change));
  const complete = encoded.filter((element) => element !== undefined);
  return complete.length === members.length ? complete : undefined;
}
