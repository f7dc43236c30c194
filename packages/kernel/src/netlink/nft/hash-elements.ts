/**
 * Adds and deletes elements of hash sets and maps directly over nfnetlink. libnftables reads all tables, chains and sets,
 * and all elements of interval sets, before each change: this reads the types of the sets that change, once.
 *
 * Each transaction names the generation of the ruleset that the types were read in, and the kernel rejects it when any
 * other program has changed the ruleset since: then they are read again.
 */
import { KernelError } from '@netyard/core';
import type { NftElementObject } from '../../desired.ts';
import { type Attribute, Attributes } from '../attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../message.ts';
import type { NetlinkSocket, TransactionPart } from '../socket.ts';
import { setSpec } from './element.ts';
import { decodeSetType, encodeElement, encodeElements, encodeSetQuery, type SetType } from './element-message.ts';

/** Subsystem NFTABLES, messages 10, 12, 14 and 16. */
const NFT_MSG_GETSET = 0x0a0a;
const NFT_MSG_NEWSETELEM = 0x0a0c;
const NFT_MSG_DELSETELEM = 0x0a0e;
const NFT_MSG_GETGEN = 0x0a10;
const NFTA_GEN_ID = 1;
/** asm-generic/errno.h: the ruleset has another generation. Node has no name for it. */
const ERESTART = 85;

/** More elements may not fit into the socket's buffer; of each some 100 to 300 bytes are sent. */
const mostElements = 500;
/** An attribute, such as the list of elements, has at most 64 KiB. */
const mostPerRequest = 100;
const mostAttempts = 3;

export type ElementChange = 'create' | 'delete';

/** The hash sets of one namespace. */
export class HashElements {
  readonly #socket: NetlinkSocket;
  /** The generation in which the types are valid. */
  #generation: number | undefined;
  /** By name of the set; undefined for one whose elements only libnftables can encode. */
  readonly #types = new Map<string, SetType | undefined>();

  /** @param socket of NETLINK_NETFILTER; the caller closes it */
  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /**
   * Creates or deletes all elements in one transaction. False: nothing was changed, because libnftables is needed for one
   * of the sets or elements, or because others keep changing the ruleset. Throws the KernelError of a set that does not
   * exist, or of a rejected transaction: EEXIST, ENOENT.
   */
  change(change: ElementChange, elements: readonly NftElementObject[]): boolean {
    if (elements.length === 0 || elements.length > mostElements) return false;
    const object = [...new Set(elements.map(setSpec))].join(', ');
    for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
      const generation = this.#generation ?? this.#begin();
      const parts = this.#encode(change, elements);
      if (parts === undefined) return false;
      try {
        this.#socket.executeTransaction(parts, { operation: `nft ${change} element`, object, generation });
        this.#generation = generation + 1; // a wrong one, when it overflows, is rejected
        return true;
      } catch (error) {
        if (!(error instanceof KernelError) || error.errno !== ERESTART) throw error;
        this.#generation = undefined;
      }
    }
    return false;
  }

  /** Forgets all types; returns the present generation. */
  #begin(): number {
    this.#types.clear();
    const request = { type: NFT_MSG_GETGEN, payload: new Uint8Array(4), operation: 'nft', object: 'generation' };
    this.#generation = new Attributes(this.#socket.query(request).payload.subarray(4)).be32(NFTA_GEN_ID) ?? 0;
    return this.#generation;
  }

  #encode(change: ElementChange, elements: readonly NftElementObject[]): TransactionPart[] | undefined {
    const isCreation = change === 'create';
    const kind = isCreation
      ? { type: NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE | NLM_F_EXCL }
      : { type: NFT_MSG_DELSETELEM, flags: 0 };
    const parts: TransactionPart[] = [];
    for (const [spec, members] of Map.groupBy(elements, setSpec)) {
      const [first] = members;
      const type = first && this.#typeOf(spec, first);
      if (first === undefined || type === undefined) return undefined;
      const encoded: Attribute[] = [];
      for (const member of members) {
        const element = encodeElement(member, type, change);
        if (element === undefined) return undefined;
        encoded.push(element);
      }
      for (let at = 0; at < encoded.length; at += mostPerRequest)
        parts.push({ ...kind, payload: encodeElements(first, encoded.slice(at, at + mostPerRequest)) });
    }
    return parts;
  }

  #typeOf(spec: string, element: NftElementObject): SetType | undefined {
    if (this.#types.has(spec)) return this.#types.get(spec);
    const query = { type: NFT_MSG_GETSET, payload: encodeSetQuery(element), operation: 'nft list set', object: spec };
    const type = decodeSetType(this.#socket.query(query).payload);
    this.#types.set(spec, type);
    return type;
  }
}
